// The engine model and the KV event log, fed with the requests of a recorded vLLM, must publish
// that vLLM's very bytes: block hashes, chunking, evictions and their order.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { defaultEngineConfig, EngineModel } from '../../src/core/engine/index.ts';
import { createBlockHasher, KvEventLog, KvIndex, KvSequence } from '../../src/core/kv/index.ts';
import {
  payloadAtTimeOf,
  type RecordedRun,
  type RecordedStep,
  recordedBatch,
  recordedRuns,
} from '../support/recorded-kv-events.ts';

const runs = recordedRuns();

for (const run of runs) {
  test(`the events of ${run.run} are those of vLLM, byte for byte`, () => {
    const replay = new Replay(run);
    for (const step of run.steps) {
      const { batches, cachedTokens } = replay.play(step);
      // Time is vLLM's own; all else must come out of the model.
      const payloads = batches.map((events, i) =>
        payloadAtTimeOf(step.frames[i], { events, dataParallelRank: 0 }),
      );
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
        index.apply('engine', recordedBatch(frame).events);
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
  readonly #run: RecordedRun;
  readonly #engine: EngineModel;
  readonly #log: KvEventLog;
  readonly #sequences = new Map<string, KvSequence>();
  readonly #outputs = new Map<string, readonly number[]>();
  #reportFull = false;
  #cachedTokens = 0;
  #requests = 0;

  constructor(run: RecordedRun) {
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
    this.#engine.add({
      id,
      promptTokens: prompt.length,
      maxTokens: output.length,
      priority: 0,
      arrivalSeconds: 0,
      reportsHits: this.#reportFull,
      blockKey: (index) => sequence.blockKey(index),
    });
  }

  #sequence(id: string): KvSequence {
    const sequence = this.#sequences.get(id);
    assert.ok(sequence);
    return sequence;
  }
}
