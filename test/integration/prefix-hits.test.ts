// Prefix hits on a real trace, against figures computed independently of this code: requests one
// after another, no service time, blocks of 512 tokens, least recently used evicted first.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { gunzipSync } from 'node:zlib';
import { defaultEngineConfig, EngineModel } from '../../src/core/engine/index.ts';
import { BlockPool } from '../../src/core/kv/index.ts';

const blockSize = 512;
const everything = 200_000;

const trace = gunzipSync(
  readFileSync(join(import.meta.dirname, '../../bench/data/mooncake-conversation.jsonl.gz')),
)
  .toString('utf8')
  .trim()
  .split('\n')
  .map((line) => JSON.parse(line) as { input_length: number; hash_ids: number[] });

/** Share of blocks and of tokens found; a partial last block counts as one like any other. */
function poolHitRates(capacityBlocks: number) {
  const pool = new BlockPool({ blocksTotal: capacityBlocks + 1 });
  let hitBlocks = 0;
  let blocks = 0;
  let hitTokens = 0;
  let tokens = 0;
  for (const { input_length, hash_ids } of trace) {
    const held: number[] = [];
    for (const id of hash_ids) {
      const block = pool.lookup(id);
      if (block === undefined) break;
      pool.acquire(block);
      held.push(block);
    }
    hitBlocks += held.length;
    blocks += hash_ids.length;
    hitTokens += Math.min(held.length * blockSize, input_length);
    tokens += input_length;
    for (const id of hash_ids.slice(held.length)) {
      const block = pool.allocate();
      pool.cache(block, id);
      held.push(block);
    }
    pool.release(held);
  }
  return { block: hitBlocks / blocks, token: hitTokens / tokens };
}

for (const [capacity, block, token] of [
  [1000, 0.0445, 0.0454],
  [10_000, 0.2116, 0.2157],
  [everything, 0.3664, 0.3736],
] as const) {
  test(`a pool of ${capacity} blocks finds ${token} of the conversation trace's tokens`, () => {
    const rates = poolHitRates(capacity);
    assert.ok(Math.abs(rates.block - block) < 0.002, `blocks ${rates.block}`);
    assert.ok(Math.abs(rates.token - token) < 0.002, `tokens ${rates.token}`);
  });
}

test("the engine's hit counters agree when its prompts are whole blocks and a token", () => {
  // The token after the last block keeps the whole prompt findable, and needs a block of its own.
  for (const [capacity, expected] of [
    [1000, 0.0445],
    [everything, 0.3664],
  ] as const) {
    const engine = new EngineModel({
      config: defaultEngineConfig({
        blockSize,
        numGpuBlocks: capacity + 2,
        maxModelLen: 130_000,
        maxNumBatchedTokens: 130_000,
      }),
      cost: { stepSeconds: () => 0 },
    });
    trace.forEach(({ hash_ids }, index) => {
      engine.add({
        id: String(index),
        promptTokens: hash_ids.length * blockSize + 1,
        maxTokens: 1,
        priority: 0,
        arrivalSeconds: index,
        blockKey: (block) => hash_ids[block] as number,
      });
      const step = engine.schedule(index);
      assert.ok(step);
      engine.complete(step, () => false);
    });
    const { prefixCacheHits, prefixCacheQueries, finished } = engine.stats;
    assert.equal(finished, trace.length);
    const rate = prefixCacheHits / (prefixCacheQueries - finished);
    assert.ok(Math.abs(rate - expected) < 0.002, `${capacity} blocks: ${rate}`);
  }
});
