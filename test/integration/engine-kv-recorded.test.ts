// A recorded vLLM 0.32.0 played again over HTTP: the embedded engine publishes the same KV events, in
// the same batches, and ends with the same counters.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { createEngineServer, type EngineServerOptions } from '../../src/apps/engine/index.ts';
import { defaultEngineConfig } from '../../src/core/engine/index.ts';
import {
  decodeKvEventBatch,
  defaultKvEventsConfig,
  type KvEvent,
  type KvEventBatch,
  type KvEventsConfig,
} from '../../src/core/protocol/index.ts';
import { loadTokenizer } from '../../src/io/models/index.ts';
import { SubscriberSocket } from '../../src/io/zmq/index.ts';

interface Run {
  readonly run: string;
  readonly blockSize: number;
  readonly numGpuBlocks: number;
  readonly maxModelLen: number;
  readonly maxNumSeqs: number;
  readonly hashAlgorithm: 'sha256' | 'sha256_cbor';
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
  readonly cacheSalt?: string;
  readonly sessionId?: string;
  readonly reportFull?: true;
  readonly cachedTokens?: number;
  readonly frames: readonly string[];
}

const tokenizer = await loadTokenizer();
const fixture = (name: string) => readFileSync(join(import.meta.dirname, 'fixtures', name), 'utf8');
const runs = JSON.parse(fixture('vllm-kv-events.json')) as readonly Run[];

test('blocks of 32: prefixes, salts, sessions, two choices, chunks, and resets of all kinds', async (t) => {
  const run = runs.find(({ run: name }) => name === 'kv-bs32') ?? assert.fail();
  const engine = await start(t, run);
  for (const step of run.steps) await engine.play(step);
  const resets = JSON.parse(fixture('kv-events-resets.json')) as (RecordedStep & {
    readonly prompt?: readonly number[];
    readonly maxTokens?: number;
  })[];
  const expect = (index: number) => resets[index] ?? assert.fail();
  const promptFrom = (first: number) => Array.from({ length: 64 }, (_, i) => first + 7 * i);

  const long = engine.complete({ prompt: promptFrom(2310), max_tokens: 200 });
  await engine.expect(expect(0).frames, 'while a request runs');
  assert.equal(await engine.reset(''), false);
  await long;
  await engine.expect(expect(1).frames, 'that request ended');
  assert.equal(await engine.reset(''), true);
  await engine.expect(expect(2).frames, 'nothing is said before the next step');
  await engine.complete({ prompt: expect(3).prompt, max_tokens: expect(3).maxTokens });
  await engine.expect(expect(3).frames, 'after the reset');
  assert.equal(await engine.reset('?reset_running_requests=true'), true);
  const restarted = engine.complete({ prompt: promptFrom(2441), max_tokens: 150 });
  await engine.expect(expect(5).frames.slice(0, 1), 'the reset, and the request');
  assert.equal(await engine.reset('?reset_running_requests=true'), true);
  await restarted;
  const [, ...others] = expect(5).frames;
  await engine.expect([...others, ...expect(6).frames], 'begun anew');
  await engine.complete({ prompt: expect(7).prompt, max_tokens: expect(7).maxTokens });
  await engine.expect(expect(7).frames, 'a request after that');

  const own = engine.seriesOf(await engine.metrics());
  const real = engine.seriesOf(fixture('metrics-after-kv-bs32.txt'));
  assert.deepEqual(own, real);
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
    if (step.reset) assert.equal(await engine.reset(''), true);
    else await engine.play(step);
  }
  const { prompts, maxTokens, frames } = JSON.parse(fixture('kv-events-preemptions.json')) as {
    readonly prompts: readonly (readonly number[])[];
    readonly maxTokens: number;
    readonly frames: readonly string[];
  };
  six = true;
  await Promise.all(prompts.map((prompt) => engine.complete({ prompt, max_tokens: maxTokens })));
  await engine.expect(frames, 'six at once');
  const own = engine.seriesOf(await engine.metrics());
  assert.deepEqual(own, engine.seriesOf(fixture('metrics-after-preemptions.txt')));
});

async function start(t: TestContext, run: Run, more: Partial<EngineServerOptions> = {}) {
  const { blockSize, numGpuBlocks, maxModelLen, maxNumSeqs } = run;
  const options: EngineServerOptions = {
    ...{ port: 0, model: 'tiny', tokenizer, devMode: true, enablePromptTokensDetails: true },
    config: defaultEngineConfig({
      ...{ blockSize, numGpuBlocks, maxModelLen, maxNumSeqs, maxNumBatchedTokens: 2048 },
    }),
    cost: { stepSeconds: () => 0.003 },
    prefixCachingHashAlgorithm: run.hashAlgorithm,
    rawKvEventHashes: run.rawHashes,
    ...more,
    kvEvents: {
      ...defaultKvEventsConfig,
      ...{ enable_kv_cache_events: true, publisher: 'zmq', endpoint: 'tcp://*:0' },
    },
  };
  const server = await createEngineServer(options);
  const sources = (await (await fetch(`${server.url}/kv_event_sources`)).json()) as {
    0: KvEventsConfig;
  };
  const heard: KvEventBatch[] = [];
  const subscriber = new SubscriberSocket({
    endpoint: sources[0].endpoint,
    onMessage: ([, , payload]) => heard.push(decodeKvEventBatch(payload ?? new Uint8Array())),
  });
  t.after(async () => {
    await subscriber.close();
    await server.close();
  });
  await until(() => subscriber.connected);
  const told: Told[] = [];
  const names = [new Names(), new Names()] as const;
  const expect = async (frames: readonly string[], what: string) => {
    await until(() => heard.length >= frames.length);
    const recorded = frames.map((hex) => decodeKvEventBatch(Buffer.from(hex, 'hex')));
    const shapes = (batches: readonly KvEventBatch[], of: Names) =>
      batches.map(({ events }) => (events as readonly KvEvent[]).map((event) => of.shape(event)));
    assert.deepEqual(shapes(heard.splice(0), names[0]), shapes(recorded, names[1]), what);
  };
  const post = (path: string, body: object) =>
    fetch(`${server.url}${path}`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify(body),
    });
  const complete = async (body: object) => {
    const answer = await post('/v1/completions', { ignore_eos: true, ...body });
    assert.equal(answer.status, 200);
    return (await answer.json()) as { usage: Usage; choices: { token_ids: number[] }[] };
  };
  const reset = async (query: string) =>
    ((await (await post(`/reset_prefix_cache${query}`, {})).json()) as { success: boolean })
      .success;
  const play = async ({ requests = [], ...step }: RecordedStep) => {
    if (step.reset) assert.equal(await reset(''), true);
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
    await expect(step.frames, step.step);
    if (usage && prompts.length === 1) {
      assert.equal(usage.prompt_tokens_details.cached_tokens, step.cachedTokens, step.step);
    }
  };
  const metrics = async () => (await fetch(`${server.url}/metrics`)).text();
  return { play, complete, expect, reset, metrics, seriesOf };
}

interface Usage {
  readonly prompt_tokens_details: { readonly cached_tokens: number };
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

/** What does not measure time, and is not of the machine. */
function seriesOf(page: string): readonly string[] {
  return page
    .split('\n')
    .filter((line) => /^vllm:/.test(line) && !/_created|_seconds|per_gpu|config_info/.test(line))
    .sort();
}

async function until(condition: () => boolean): Promise<void> {
  const deadline = performance.now() + 10_000;
  while (!condition()) {
    assert.ok(performance.now() < deadline, 'what the test waits for did not happen in 10 s');
    await new Promise((resolve) => setImmediate(resolve));
  }
}
