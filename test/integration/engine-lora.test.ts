// LoRA adapters of the embedded engine against a recording of a real vLLM 0.32.0: the same requests,
// the same answers, KV events and metrics.
import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { gunzipSync } from 'node:zlib';
import {
  AdapterFolderError,
  createEngineServer,
  type EngineServerOptions,
} from '../../src/apps/engine/index.ts';
import { defaultEngineConfig } from '../../src/core/engine/index.ts';
import { createBlockHasher, KvEventLog, KvSequence } from '../../src/core/kv/index.ts';
import { decodeKvEventBatch, encodeKvEventBatch } from '../../src/core/protocol/index.ts';
import { defaultKvEventsConfig, type KvEventsConfig } from '../../src/core/vllm-config/index.ts';
import { loadTokenizer } from '../../src/io/tokenizers/index.ts';
import { SubscriberSocket } from '../../src/io/zmq/index.ts';
import { until } from '../support/until.ts';
import { compareAnswers } from '../support/wire-compare.ts';
import { differingCounts, recordedMetrics, sameCounts } from '../support/wire-metrics-state.ts';

interface Step {
  readonly step: string;
  readonly request: {
    readonly method: string;
    readonly path: string;
    readonly body: object | null;
    readonly models: readonly string[];
    readonly prompts: readonly (readonly number[])[];
  } | null;
  readonly response: {
    readonly status: number;
    readonly 'content-type': string | null;
    readonly body: unknown;
  };
  /** Topic, sequence number and payload, base64. */
  readonly frames: readonly (readonly [string, string, string])[];
}

const tokenizer = await loadTokenizer();
const recording = gunzipSync(
  readFileSync(`${import.meta.dirname}/../conformance/vllm-wire/kv-lora.jsonl.gz`),
);
const steps = recording
  .toString()
  .trim()
  .split('\n')
  .map((line) => JSON.parse(line) as Step);
/** Tokens of each of the four streams, by the recorded metrics. */
const streamTokens = 120;
const adapters = { a: 2, b: 3 } as const;

test('loading, using and unloading adapters gives the answers, KV events and metrics of a real vLLM', async (t) => {
  const { url, received, topic } = await startRecorded(t);
  let frames = 0;
  for (const { step, request, response, frames: expected } of steps) {
    if (request === null) continue;
    if (request.models) {
      await playStreams(url, request);
      await until(() => received.length === frames + expected.length);
      compareStreamEvents(received.slice(frames), expected, step);
    } else {
      const own = await send(url, request);
      assert.equal(differenceOf(response, own, request), undefined, step);
      if (own.status !== 200 && request.path !== '/v1/completions') {
        assert.deepEqual(JSON.parse(own.body), response.body, step);
      }
      await until(() => received.length === frames + expected.length);
      const recorded = expected.map(([name, sequence, payload]) => ({
        topic: Buffer.from(name, 'base64').toString(),
        sequence: Buffer.from(sequence, 'base64').readBigUInt64BE(),
        payload: timeless(Buffer.from(payload, 'base64')),
      }));
      const said = received.slice(frames).map((message) => ({
        topic,
        sequence: message.sequence,
        payload: timeless(message.payload),
      }));
      assert.deepEqual(said, recorded, step);
    }
    frames += expected.length;
  }
  // How many steps were shared hangs on when the four streams met; the test itself asks once where
  // events are to be had.
  const page = (await metrics(url)).replace(/^.*kv_event_sources.*\n/gm, '');
  const free = ['iteration_tokens_total_', 'http_request_duration_highr'];
  assert.deepEqual(differingCounts(page, recordedMetrics('lora-after'), free), sameCounts);
});

test('while adapters wait for a place in the step, metrics say so as a real vLLM does', async (t) => {
  const { url } = await startRecorded(t);
  for (const { request } of steps.slice(
    0,
    steps.findIndex((step) => step.request?.models),
  )) {
    if (request) await send(url, request);
  }
  const { request } = steps.find((step) => step.request?.models) as Step;
  let page = '';
  await playStreams(url, request as NonNullable<Step['request']>, async () => {
    page = await metrics(url);
  });
  const moment = ['iteration_tokens_total_', 'generation_tokens', 'inter_token_latency'];
  assert.deepEqual(differingCounts(page, recordedMetrics('lora-running'), moment), sameCounts);
  assert.match(page, /num_requests_waiting_by_reason\{[^}]*reason="deferred"\} 1\.0/);
});

test('an adapter must be a folder that vLLM would load', async (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'adapters-'));
  t.after(() => rmSync(folder, { recursive: true }));
  const make = (name: string, config: object | string, files: readonly string[] = []): string => {
    const path = join(folder, name);
    mkdirSync(path);
    const text = typeof config === 'string' ? config : JSON.stringify(config);
    writeFileSync(join(path, 'adapter_config.json'), text);
    for (const file of files) writeFileSync(join(path, file), '');
    return path;
  };
  const good = { r: 4, lora_alpha: 8, target_modules: ['q_proj'] };
  const weights = ['adapter_model.safetensors'];
  const { url } = await start(t, { lora: { maxRank: 8 }, allowRuntimeLoraUpdating: true });
  const load = async (path: string) => {
    const answer = await post(url, '/v1/load_lora_adapter', { lora_name: 'x', lora_path: path });
    return `${answer.status} ${answer.body}`;
  };
  const worker = (message: string) =>
    `500 ${JSON.stringify({
      error: {
        message: `Call to add_lora method failed: Worker failed with error '${message}', please check the stack trace above for the root cause`,
        ...{ type: 'InternalServerError', param: null, code: 500 },
      },
    })}`;
  assert.match(await load(join(folder, 'nowhere')), /^404 .*No adapter found for <path>/);
  assert.equal(
    await load(make('broken', '{nope')),
    worker('Expecting property name enclosed in double quotes: line 1 column 2 (char 1)'),
  );
  assert.equal(await load(make('bare', good)), worker("<path> doesn't contain tensors"));
  assert.equal(
    await load(make('big', { ...good, r: 32 }, weights)),
    worker('LoRA rank 32 is greater than max_lora_rank 8.'),
  );
  assert.equal(
    await load(
      make('dora', { ...good, use_dora: true, bias: 'all', modules_to_save: ['lm_head'] }),
    ),
    worker(
      `vLLM only supports modules_to_save being either None or ["classifier", "score"] for classification models. Unsupported modules_to_save: ['lm_head'] vLLM does not yet support DoRA. Adapter bias is not supported.`,
    ),
  );
  assert.match(await load(make('good', good, weights)), /^200 Success/);
});

test('adapters of --lora-modules are there from the start; without --enable-lora none loads', async (t) => {
  const check = () => Promise.resolve();
  const modules = [{ name: 'one', path: '/adapters/one', baseModelName: 'tiny' }];
  const given = await start(t, { lora: { maxRank: 8, modules, check } });
  const { body } = await send(given.url, { method: 'GET', path: '/v1/models', body: null });
  const cards = (JSON.parse(body) as { data: { id: string; parent: string | null }[] }).data;
  assert.deepEqual(
    cards.map(({ id, parent }) => [id, parent]),
    [
      ['tiny', null],
      ['one', 'tiny'],
    ],
  );
  const own = await post(given.url, '/v1/load_lora_adapter', { lora_name: 'x', lora_path: '/x' });
  assert.deepEqual([own.status, own.body], [404, '{"detail":"Not Found"}']);

  const without = await start(t, { allowRuntimeLoraUpdating: true });
  const refused = await post(without.url, '/v1/load_lora_adapter', {
    ...{ lora_name: 'x', lora_path: '/x' },
  });
  assert.equal(refused.status, 500);
  assert.match(refused.body, /LoRA is not enabled\. Use --enable-lora to enable LoRA\./);
});

test('every route that generates answers under the name of the adapter', async (t) => {
  const modules = [{ name: 'one', path: '/adapters/one' }];
  const check = () => Promise.resolve();
  const { url } = await start(t, { lora: { maxRank: 8, modules, check } });
  const messages = [{ role: 'user', content: 'hi' }];
  for (const [path, body] of [
    ['/v1/completions', { prompt: 'hi', max_tokens: 1 }],
    ['/v1/chat/completions', { messages, max_tokens: 1 }],
    ['/v1/messages', { messages, max_tokens: 1 }],
    ['/v1/responses', { input: 'hi', max_output_tokens: 16 }],
  ] as const) {
    const answer = await post(url, path, { model: 'one', ...body });
    assert.equal((JSON.parse(answer.body) as { model: string }).model, 'one', path);
    if (path === '/v1/messages') continue;
    const unnamed = await post(url, path, { ...body });
    assert.equal((JSON.parse(unnamed.body) as { model: string }).model, 'tiny', path);
  }
});

/** Starts the recorded streams, each once the one before has its first token or must wait. */
async function playStreams(
  url: string,
  request: NonNullable<Step['request']>,
  whileTheyRun: () => Promise<void> = async () => {},
): Promise<void> {
  const aborts = new AbortController();
  const ends: Promise<unknown>[] = [];
  for (const [i, model] of request.models.entries()) {
    const answer = await fetch(`${url}/v1/completions`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({
        ...{ model, prompt: request.prompts[i], max_tokens: streamTokens, stream: true },
        ignore_eos: true,
      }),
      signal: aborts.signal,
    });
    const reader = (answer.body as ReadableStream<Uint8Array>).getReader();
    const first = reader.read();
    if (model !== 'b') await first;
    ends.push(drainReader(reader, first));
  }
  await whileTheyRun();
  await Promise.all(ends);
}

async function drainReader(
  reader: ReadableStreamDefaultReader<Uint8Array>,
  first: Promise<unknown>,
): Promise<void> {
  await first;
  while (!(await reader.read()).done);
}

/**
 * Prompt blocks to the byte. Blocks of generated tokens by all but these tokens; their hashes must
 * follow from what the engine said before, and from the adapter.
 */
function compareStreamEvents(
  received: readonly Message[],
  expected: Step['frames'],
  step: string,
): void {
  const chains = new Map<bigint, readonly number[]>();
  const hasher = createBlockHasher();
  for (const [i, frame] of expected.entries()) {
    const real = decodeKvEventBatch(Buffer.from(frame[2], 'base64'));
    const own = decodeKvEventBatch((received[i] as Message).payload);
    const [said] = own.events;
    const [recorded] = real.events;
    assert.ok(said?.type === 'BlockStored' && recorded?.type === 'BlockStored');
    if (recorded.parentBlockHash === undefined) {
      assert.equal(
        timeless((received[i] as Message).payload),
        timeless(Buffer.from(frame[2], 'base64')),
      );
    }
    assert.equal(said.loraId, recorded.loraId, step);
    const before = chains.get(said.parentBlockHash as bigint) ?? [];
    assert.equal(before.length === 0, recorded.parentBlockHash === undefined, `${step} ${i}`);
    const tokens = [...before, ...Array.from(said.tokenIds)];
    const name = said.loraName as keyof typeof adapters | undefined;
    const lora = name && { id: adapters[name], name, path: '/models/lora-a' };
    const sequence = new KvSequence(hasher, 32, tokens, { lora });
    const log = new KvEventLog();
    log.blocksStored(sequence, tokens.length / 32 - 1, 1);
    const batch = { ...own, events: log.take() };
    assert.equal(
      Buffer.from(encodeKvEventBatch(batch)).toString('hex'),
      hex(received[i] as Message),
    );
    chains.set(said.blockHashes[0] as bigint, tokens);
  }
}

interface Message {
  readonly sequence: bigint;
  readonly payload: Uint8Array;
}

function hex({ payload }: Message): string {
  return Buffer.from(payload).toString('hex');
}

/** A batch without the time that it says. */
function timeless(payload: Uint8Array): string {
  const batch = { ...decodeKvEventBatch(payload), timestampSeconds: 0 };
  return Buffer.from(encodeKvEventBatch(batch)).toString('hex');
}

function differenceOf(
  real: Step['response'],
  own: { readonly status: number; readonly contentType: string | null; readonly body: string },
  { method, path }: { readonly method: string; readonly path: string },
): string | undefined {
  const headers = (type: string | null) => (type === null ? [] : [['content-type', type] as const]);
  const body = typeof real.body === 'string' ? real.body : JSON.stringify(real.body);
  return compareAnswers(
    { id: path, status: real.status, headers: headers(real['content-type']), body },
    { id: path, status: own.status, headers: headers(own.contentType), body: own.body },
    { id: path, method, path },
  );
}

/** With the flags of the recording. */
async function startRecorded(t: TestContext) {
  const topic = 'kv@127.0.0.1:9190@tiny';
  const { url } = await start(t, {
    model: '/models/tiny-0',
    servedModelNames: ['tiny'],
    config: defaultEngineConfig({ maxModelLen: 8192, numGpuBlocks: 65_536, blockSize: 32 }),
    // Slow enough that streams which start one after the other are side by side.
    cost: { stepSeconds: () => 0.01 },
    enablePromptTokensDetails: true,
    allowRuntimeLoraUpdating: true,
    lora: {
      maxRank: 8,
      check: async (path) => {
        if (!path.startsWith('/models/')) throw new AdapterFolderError('', true);
      },
    },
    kvEvents: {
      ...defaultKvEventsConfig,
      ...{ enable_kv_cache_events: true, publisher: 'zmq', endpoint: 'tcp://*:0', topic },
    },
  });
  const sources = (await (await fetch(`${url}/kv_event_sources`)).json()) as { 0: KvEventsConfig };
  const received: Message[] = [];
  const subscriber = new SubscriberSocket({
    endpoint: sources[0].endpoint,
    onMessage: ([name, sequence, payload]) => {
      assert.equal(Buffer.from(name ?? []).toString(), topic);
      received.push({
        sequence: Buffer.from(sequence ?? []).readBigUInt64BE(),
        payload: payload ?? new Uint8Array(),
      });
    },
  });
  t.after(() => subscriber.close());
  await until(() => subscriber.connected);
  return { url, received, topic };
}

async function start(t: TestContext, options: Partial<EngineServerOptions>) {
  const server = await createEngineServer({
    ...{ port: 0, model: 'tiny', tokenizer },
    config: defaultEngineConfig({ maxModelLen: 1024, numGpuBlocks: 200 }),
    cost: { stepSeconds: () => 0.001 },
    ...options,
  });
  t.after(() => server.close());
  return server;
}

async function metrics(url: string): Promise<string> {
  return (await fetch(`${url}/metrics`)).text();
}

function post(url: string, path: string, body: object) {
  return send(url, { method: 'POST', path, body });
}

async function send(
  url: string,
  { method, path, body }: { method: string; path: string; body: object | null },
) {
  const answer = await fetch(url + path, {
    method,
    ...(body && {
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify(body),
    }),
  });
  const contentType = answer.headers.get('content-type');
  return { status: answer.status, contentType, body: await answer.text() };
}
