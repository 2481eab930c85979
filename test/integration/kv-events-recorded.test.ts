// The engine model and the KV event log, fed with the requests of a recorded vLLM, must publish
// that vLLM's very bytes: block hashes, chunking, evictions and their order.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { defaultEngineConfig, EngineModel } from '../../src/core/engine/index.ts';
import { createBlockHasher, KvEventLog, KvIndex, KvSequence } from '../../src/core/kv/index.ts';
import { decodeKvEventBatch, encodeKvEventBatch } from '../../src/core/protocol/index.ts';

interface Run {
  readonly run: string;
  readonly blockSize: number;
  readonly numGpuBlocks: number;
  readonly maxModelLen: number;
  readonly maxNumSeqs: number;
  readonly hashAlgorithm: string;
  readonly rawHashes: boolean;
  readonly steps: readonly RecordedStep[];
}

interface RecordedStep {
  readonly step: string;
  readonly reset?: true;
  readonly requests?: readonly {
    readonly prompt: readonly number[];
    readonly output: readonly number[];
  }[];
  readonly cachedTokens?: number;
  readonly cacheSalt?: string;
  readonly sessionId?: string;
  readonly reportFull?: true;
  readonly frames: readonly string[];
}

const runs: readonly Run[] = JSON.parse(
  readFileSync(join(import.meta.dirname, 'fixtures/vllm-kv-events.json'), 'utf8'),
);

for (const run of runs) {
  test(`the events of ${run.run} are those of vLLM, byte for byte`, () => {
    const replay = new Replay(run);
    for (const step of run.steps) {
      const { batches, cachedTokens } = replay.play(step);
      const payloads = batches.map((events, i) => {
        // Time is vLLM's own; all else must come out of the model.
        const recorded = Uint8Array.from(Buffer.from(step.frames[i] ?? '', 'hex'));
        const timestampSeconds =
          recorded.length > 0 ? decodeKvEventBatch(recorded).timestampSeconds : 0;
        const payload = encodeKvEventBatch({ timestampSeconds, events, dataParallelRank: 0 });
        return Buffer.from(payload).toString('hex');
      });
      assert.deepEqual(payloads, step.frames, step.step);
      if (!step.reset) assert.equal(cachedTokens, step.cachedTokens, step.step);
    }
  });
}

for (const run of runs) {
  test(`an index fed with the events of ${run.run} knows what vLLM will find cached`, () => {
    const index = new KvIndex();
    for (const step of run.steps) {
      const [request, second] = step.requests ?? [];
      if (request && !second) {
        const { prompt } = request;
        const { cacheSalt } = step;
        const [held = 0] = index.match(prompt, { cacheSalt }, ['engine']);
        // vLLM always computes the last token anew, and with it the rest of its block.
        const usable = Math.floor((prompt.length - 1) / run.blockSize) * run.blockSize;
        assert.equal(Math.min(held, usable), step.cachedTokens, step.step);
      }
      for (const frame of step.frames) {
        const { events } = decodeKvEventBatch(Uint8Array.from(Buffer.from(frame, 'hex')));
        index.apply('engine', events);
      }
    }
    const { orphans, ignoredEvents, overflows } = index.stats;
    assert.deepEqual(
      { orphans, ignoredEvents, overflows },
      { orphans: 0, ignoredEvents: 0, overflows: 0 },
    );
  });
}

/** One engine over a whole run. */
class Replay {
  readonly #run: Run;
  readonly #engine: EngineModel;
  readonly #log: KvEventLog;
  readonly #sequences = new Map<string, KvSequence>();
  readonly #outputs = new Map<string, readonly number[]>();
  #reportFull = false;
  #cachedTokens = 0;
  #requests = 0;

  constructor(run: Run) {
    this.#run = run;
    const log = new KvEventLog({ rawHashes: run.rawHashes });
    this.#log = log;
    this.#engine = new EngineModel({
      config: defaultEngineConfig({
        blockSize: run.blockSize,
        numGpuBlocks: run.numGpuBlocks,
        maxModelLen: run.maxModelLen,
        maxNumSeqs: run.maxNumSeqs,
        maxNumBatchedTokens: 2048,
      }),
      cost: { stepSeconds: () => 1 },
      listener: {
        blocksStored: ({ id }, first, count) => log.blocksStored(this.#sequence(id), first, count),
        blockRemoved: (key) => log.blockRemoved(key as string),
        allBlocksCleared: () => log.allBlocksCleared(),
        blocksFound: ({ id }, count) => log.blocksStored(this.#sequence(id), 0, count),
        admitted: (_request, cachedTokens) => {
          this.#cachedTokens += cachedTokens;
        },
      },
    });
  }

  play(step: RecordedStep) {
    this.#reportFull = step.reportFull ?? false;
    this.#cachedTokens = 0;
    if (step.reset) assert.ok(this.#engine.resetPrefixCache());
    for (const { prompt, output } of step.requests ?? []) this.#add(step, prompt, output);
    const batches = [];
    for (let now = 0, next = this.#engine.schedule(0); next; next = this.#engine.schedule(now)) {
      now = next.endSeconds;
      this.#engine.complete(next, ({ id }, index) => {
        this.#sequence(id).append(this.#outputs.get(id)?.[index] ?? 0);
        return false;
      });
      const events = this.#log.take();
      if (events.length > 0) batches.push(events);
    }
    return { batches, cachedTokens: this.#cachedTokens };
  }

  #add(step: RecordedStep, prompt: readonly number[], output: readonly number[]): void {
    const { blockSize, hashAlgorithm } = this.#run;
    const hasher = createBlockHasher({ algorithm: hashAlgorithm });
    const { cacheSalt, sessionId } = step;
    const sequence = new KvSequence(hasher, blockSize, prompt, { cacheSalt, sessionId });
    const id = String(this.#requests++);
    this.#sequences.set(id, sequence);
    this.#outputs.set(id, output);
    this.#engine.add(
      {
        id,
        promptTokens: prompt.length,
        maxTokens: output.length,
        priority: 0,
        arrivalSeconds: 0,
        reportsHits: this.#reportFull,
        blockKey: (index) => sequence.blockKey(index),
      },
      0,
    );
  }

  #sequence(id: string): KvSequence {
    const sequence = this.#sequences.get(id);
    assert.ok(sequence);
    return sequence;
  }
}
