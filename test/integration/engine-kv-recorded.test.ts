// A recorded vLLM 0.32.0 played again over HTTP: the embedded engine publishes the same KV events, in
// the same batches, and ends with the same counters.
import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import type { EngineServerOptions } from '../../src/apps/engine/index.ts';
import { defaultEngineConfig } from '../../src/core/engine/index.ts';
import type { KvEvent, KvEventBatch } from '../../src/core/protocol/index.ts';
import { publishingEngine, untimedSeries } from '../support/publishing-engine.ts';
import {
  payloadAtTimeOf,
  type RecordedRun,
  type RecordedStep,
  recordedBatch,
  recordedRuns,
  recordedText,
} from '../support/recorded-kv-events.ts';
import { until } from '../support/until.ts';

const runs = recordedRuns();

test('blocks of 32: prefixes, salts, sessions, two choices, chunks, and resets of all kinds', async (t) => {
  const run = runs.find(({ run: name }) => name === 'kv-bs32') ?? assert.fail();
  const engine = await start(t, run);
  for (const step of run.steps) await engine.play(step);
  const resets = JSON.parse(recordedText('kv-events-resets.json')) as (RecordedStep & {
    readonly prompt?: readonly number[];
    readonly maxTokens?: number;
  })[];
  const expect = (index: number) => resets[index] ?? assert.fail();
  const promptFrom = (first: number) => Array.from({ length: 64 }, (_, i) => first + 7 * i);

  const long = engine.complete({ prompt: promptFrom(2310), max_tokens: 200 });
  await engine.expect(expect(0).frames, 'while a request runs');
  assert.equal(await engine.resetPrefixCache(), false);
  await long;
  await engine.expect(expect(1).frames, 'that request ended');
  assert.equal(await engine.resetPrefixCache(), true);
  await engine.expect(expect(2).frames, 'nothing is said before the next step');
  await engine.complete({ prompt: expect(3).prompt, max_tokens: expect(3).maxTokens });
  await engine.expect(expect(3).frames, 'after the reset');
  assert.equal(await engine.resetPrefixCache('?reset_running_requests=true'), true);
  const restarted = engine.complete({ prompt: promptFrom(2441), max_tokens: 150 });
  await engine.expect(expect(5).frames.slice(0, 1), 'the reset, and the request');
  assert.equal(await engine.resetPrefixCache('?reset_running_requests=true'), true);
  await restarted;
  const [, ...others] = expect(5).frames;
  await engine.expect([...others, ...expect(6).frames], 'begun anew');
  await engine.complete({ prompt: expect(7).prompt, max_tokens: expect(7).maxTokens });
  await engine.expect(expect(7).frames, 'a request after that');

  const real = recordedText('metrics-after-kv-bs32.txt');
  assert.deepEqual(untimedSeries(await engine.metrics()), untimedSeries(real));
});

test('forty blocks: six requests that outgrow them are preempted and resumed, batch for batch', async (t) => {
  const run = runs.find(({ run: name }) => name === 'kv-evict40') ?? assert.fail();
  // A long first step: of six requests at once, the real engine began with one, and then had all.
  let steps = 0;
  const cost = { stepSeconds: () => (six && steps++ === 0 ? 0.5 : 0.001) };
  let six = false;
  const engine = await start(t, run, { cost });
  for (const step of run.steps) {
    // The last step of the recording is a reset, which is told with what follows.
    if (step.reset) assert.equal(await engine.resetPrefixCache(), true);
    else await engine.play(step);
  }
  const { prompts, maxTokens, frames } = JSON.parse(recordedText('kv-events-preemptions.json')) as {
    readonly prompts: readonly (readonly number[])[];
    readonly maxTokens: number;
    readonly frames: readonly string[];
  };
  six = true;
  await Promise.all(prompts.map((prompt) => engine.complete({ prompt, max_tokens: maxTokens })));
  await engine.expect(frames, 'six at once');
  const real = recordedText('metrics-after-preemptions.txt');
  assert.deepEqual(untimedSeries(await engine.metrics()), untimedSeries(real));
});

async function start(t: TestContext, run: RecordedRun, more: Partial<EngineServerOptions> = {}) {
  const { blockSize, numGpuBlocks, maxModelLen, maxNumSeqs } = run;
  const engine = await publishingEngine(t, {
    config: defaultEngineConfig({
      ...{ blockSize, numGpuBlocks, maxModelLen, maxNumSeqs, maxNumBatchedTokens: 2048 },
    }),
    ...{ cost: { stepSeconds: () => 0.003 }, timeScale: 1 },
    prefixCachingHashAlgorithm: run.hashAlgorithm,
    rawKvEventHashes: run.rawHashes,
    ...more,
  });
  const { received, complete, resetPrefixCache } = engine;
  const told: Told[] = [];
  const names = [new Names(), new Names()] as const;
  /** @param prompts Of the requests that caused them: batches of nothing else agree to the byte. */
  const expect = async (frames: readonly string[], what: string, prompts?: Prompts) => {
    await until(() => received.length >= frames.length);
    const own = received.splice(0);
    const recorded = frames.map(recordedBatch);
    const shapes = (batches: readonly KvEventBatch[], of: Names) =>
      batches.map(({ events }) => events.map((event) => of.shape(event)));
    assert.deepEqual(shapes(own, names[0]), shapes(recorded, names[1]), what);
    if (prompts === undefined) return;
    const tokens = new Set(prompts.flat());
    for (const [i, frame] of frames.entries()) {
      if (!recorded[i]?.events.every((event) => isOf(event, tokens))) continue;
      assert.equal(payloadAtTimeOf(frame, own[i] ?? assert.fail()), frame, what);
    }
  };
  const play = async ({ requests = [], ...step }: RecordedStep) => {
    if (step.reset) assert.equal(await resetPrefixCache(), true);
    const prompts = requests.map(({ prompt }) => retold(prompt, told));
    const isTwice = prompts.length === 2 && String(prompts[0]) === String(prompts[1]);
    const { usage, choices } =
      prompts.length === 0
        ? { usage: undefined, choices: [] }
        : await complete({
            return_token_ids: true,
            prompt: isTwice || prompts.length === 1 ? prompts[0] : prompts,
            ...(isTwice && { n: 2 }),
            max_tokens: requests[0]?.output.length,
            ...(step.cacheSalt && { cache_salt: step.cacheSalt }),
            ...(step.sessionId && { session_id: step.sessionId }),
            ...(step.reportFull && { vllm_xargs: { kv_cache_report_mode: 'full' } }),
          });
    requests.forEach(({ prompt, output }, i) => {
      told.push({ prompt, output, own: choices[i]?.token_ids ?? [] });
    });
    await expect(step.frames, step.step, prompts);
    if (usage && prompts.length === 1) {
      assert.equal(usage.prompt_tokens_details?.cached_tokens, step.cachedTokens, step.step);
    }
  };
  return { ...engine, play, expect };
}

type Prompts = readonly (readonly number[])[];

/** Whether the event tells of no token that was generated: those are ours. */
function isOf(event: KvEvent, prompts: ReadonlySet<number>): boolean {
  return event.type !== 'BlockStored' || Array.from(event.tokenIds).every((id) => prompts.has(id));
}

interface Told {
  readonly prompt: readonly number[];
  /** What vLLM answered, and what we did. */
  readonly output: readonly number[];
  readonly own: readonly number[];
}

/** A prompt that goes on from a recorded answer, with our answer in its place. */
function retold(prompt: readonly number[], told: readonly Told[]): readonly number[] {
  for (const { prompt: before, output, own } of told) {
    if (!before.every((token, i) => prompt[i] === token)) continue;
    const kept = output.findIndex((token, i) => prompt[before.length + i] !== token);
    const count = kept < 0 ? output.length : kept;
    if (count < 2) continue;
    return [...before, ...own.slice(0, count), ...prompt.slice(before.length + count)];
  }
  return prompt;
}

/**
 * Names hashes in the order in which they come, and leaves out the tokens of blocks that hold some
 * of the answer: ours is another text.
 */
class Names {
  readonly #names = new Map<string, number>();

  shape(event: KvEvent): unknown {
    if (event.type === 'AllBlocksCleared') return event.type;
    if (event.type === 'unknown') return assert.fail();
    const blocks = event.blockHashes.map((hash) => this.#name(hash));
    if (event.type === 'BlockRemoved') return { ...event, blockHashes: blocks };
    const { tokenIds, parentBlockHash, ...rest } = event;
    return {
      ...{ ...rest, blockHashes: blocks, tokens: tokenIds.length },
      parentBlockHash: parentBlockHash === undefined ? undefined : this.#name(parentBlockHash),
    };
  }

  #name(hash: unknown): number {
    const key = hash instanceof Uint8Array ? Buffer.from(hash).toString('hex') : String(hash);
    const name = this.#names.get(key) ?? this.#names.size;
    this.#names.set(key, name);
    return name;
  }
}
