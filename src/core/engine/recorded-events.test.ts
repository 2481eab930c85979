// Compares the engine model with the KV events of a real vLLM: the same blocks stored and evicted,
// in the same order and the same steps, through eviction and preemption.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { type BlockKey, defaultEngineConfig, EngineModel } from './index.ts';

interface Recording {
  readonly steps: readonly {
    readonly name: string;
    readonly requests: readonly {
      readonly promptTokens: number;
      readonly maxTokens: number;
      readonly cachedTokens: number;
      readonly keys: readonly string[];
    }[];
    readonly batches: readonly (readonly BlockKey[])[][];
  }[];
}

const recording = JSON.parse(
  readFileSync(join(import.meta.dirname, 'fixtures/kv-events-evict40.json'), 'utf8'),
) as Recording;

test('emits the KV events of a real vLLM at evictions and preemptions, step by step', () => {
  let batch: (BlockKey | null)[][] = [];
  let cached: number[] = [];
  const engine = new EngineModel({
    config: defaultEngineConfig({
      blockSize: 32,
      numGpuBlocks: 40,
      maxModelLen: 1024,
      maxNumSeqs: 8,
    }),
    cost: { stepSeconds: () => 1 },
    listener: {
      blocksStored(request, first, count) {
        const keys = Array.from({ length: count }, (_, i) => request.blockKey(first + i));
        const parent = first === 0 ? null : request.blockKey(first - 1);
        batch.push(['stored', parent, ...keys]);
      },
      blockRemoved: (key) => batch.push(['removed', key]),
      allBlocksCleared: () => batch.push(['cleared']),
      admitted: (_request, cachedTokens) => cached.push(cachedTokens),
    },
  });
  for (const { name, requests, batches } of recording.steps) {
    if (name === 'reset') {
      assert.equal(engine.resetPrefixCache(), true);
      continue;
    }
    const seen: (BlockKey | null)[][][] = [];
    const waiting = requests.map(({ promptTokens, maxTokens, keys }, index) => ({
      id: `${name} ${index}`,
      promptTokens,
      maxTokens,
      priority: 0,
      arrivalSeconds: index,
      blockKey: (block: number) => keys[block] ?? assert.fail(`block ${block} has no key`),
    }));
    cached = [];
    // The real engine had accepted one of six simultaneous requests when it planned its first step.
    for (let step = 0; ; step++) {
      for (const request of waiting.splice(0, step === 0 ? 1 : waiting.length)) {
        engine.add(request);
      }
      const planned = engine.schedule(step);
      if (planned === undefined) break;
      engine.complete(planned, () => false);
      if (batch.length > 0) seen.push(batch);
      batch = [];
    }
    assert.deepEqual(seen, batches, name);
    assert.deepEqual(
      cached,
      requests.map(({ cachedTokens }) => cachedTokens),
      name,
    );
  }
  // The counters of its /metrics after the run.
  const { preemptions, prefixCacheQueries, prefixCacheHits, outputTokens } = engine.stats;
  assert.deepEqual(
    { preemptions, prefixCacheQueries, prefixCacheHits, outputTokens },
    { preemptions: 3, prefixCacheQueries: 5025, prefixCacheHits: 512, outputTokens: 1941 },
  );
});
