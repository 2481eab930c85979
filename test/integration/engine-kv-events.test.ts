// The embedded engine's KV events as a subscriber hears them.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { type TestContext, test } from 'node:test';
import {
  createEngineServer,
  type EngineServerOptions,
  type FaultOptions,
} from '../../src/apps/engine/index.ts';
import { defaultEngineConfig } from '../../src/core/engine/index.ts';
import { blockHashInteger, createBlockHasher } from '../../src/core/kv/index.ts';
import {
  decodeKvEventBatch,
  defaultKvEventsConfig,
  encodeKvEventBatch,
  type KvEvent,
  type KvEventsConfig,
} from '../../src/core/protocol/index.ts';
import { loadTokenizer } from '../../src/io/models/index.ts';
import { SubscriberSocket } from '../../src/io/zmq/index.ts';

const tokenizer = await loadTokenizer();
const prompt = Array.from({ length: 40 }, (_, i) => 1000 + i);

test('a prompt’s full blocks are announced with the hashes of vLLM, and later those of the answer', async (t) => {
  const { complete, heard } = await start(t, {});
  await complete({ prompt, max_tokens: 10 });
  await until(() => heard.flatMap(({ events }) => events).length === 2);
  const [first, second] = heard.flatMap(({ events }) => events);
  assert.ok(first?.type === 'BlockStored' && second?.type === 'BlockStored');
  const hasher = createBlockHasher();
  const hash0 = hasher.hashBlock(undefined, prompt, 0, 16, []);
  const hash1 = hasher.hashBlock(hash0, prompt, 16, 32, []);
  assert.deepEqual(first.blockHashes, [hash0, hash1].map(blockHashInteger));
  assert.deepEqual(Array.from(first.tokenIds), prompt.slice(0, 32));
  assert.equal(first.parentBlockHash, undefined);
  assert.deepEqual([second.parentBlockHash, second.tokenIds.length], [blockHashInteger(hash1), 16]);
  assert.deepEqual(
    heard.map(({ sequence }) => sequence),
    [0, 1],
  );
});

test('eviction and reset are announced, the reset with the next step', async (t) => {
  const { complete, heard, url } = await start(t, {}, 12);
  for (let i = 0; i < 6; i++)
    await complete({ prompt: prompt.map((id) => id + i * 100), max_tokens: 1 });
  await until(() => heard.some(({ events }) => events.some(({ type }) => type === 'BlockRemoved')));
  const before = heard.length;
  assert.equal((await fetch(`${url}/reset_prefix_cache`, { method: 'POST' })).status, 200);
  await complete({ prompt, max_tokens: 1 });
  await until(() => heard.length > before);
  assert.deepEqual(
    heard[before]?.events.map(({ type }) => type),
    ['AllBlocksCleared', 'BlockStored'],
  );
});

test('a cache salt keeps requests apart and is announced with its block', async (t) => {
  const { complete, heard } = await start(t, {});
  await complete({ prompt, max_tokens: 1 });
  await complete({ prompt, max_tokens: 1, cache_salt: 'tenant-1' });
  await until(() => heard.length === 2);
  const [plain, salted] = heard.flatMap(({ events }) => events);
  assert.ok(plain?.type === 'BlockStored' && salted?.type === 'BlockStored');
  assert.notDeepEqual(plain.blockHashes, salted.blockHashes);
  assert.deepEqual(salted.extraKeys?.[0], ['tenant-1']);
});

test('a session is named with its blocks: by the body, else by the header, else by an extra argument', async (t) => {
  const { complete, heard } = await start(t, {});
  const header = { 'x-session-id': 'header' };
  const vllm_xargs = { session_id: 'extra' };
  const bodies = [{ session_id: 'body', vllm_xargs }, { vllm_xargs }, {}];
  for (const [i, body] of bodies.entries()) {
    const own = prompt.map((id) => id + 100 * (i + 1));
    await complete({ prompt: own, max_tokens: 1, ...body }, i < 2 ? header : {});
  }
  await complete({ prompt: prompt.map((id) => id + 1000), max_tokens: 1, vllm_xargs });
  await until(() => heard.length === 4);
  assert.deepEqual(
    heard.map(({ events: [event] }) => event?.type === 'BlockStored' && event.sessionId),
    ['body', 'header', undefined, 'extra'],
  );
});

test('lost batches leave a gap in the numbers, duplicated ones come twice', async (t) => {
  const lossy = await start(t, { loseKvEvents: { probability: 1 } });
  await lossy.complete({ prompt, max_tokens: 1 });
  const double = await start(t, { duplicateKvEvents: { probability: 1 } });
  await double.complete({ prompt, max_tokens: 1 });
  await until(() => double.heard.length === 2);
  assert.deepEqual(
    double.heard.map(({ sequence }) => sequence),
    [0, 0],
  );
  assert.equal(lossy.heard.length, 0);
  await fetch(`${lossy.url}/spillway/faults`, { method: 'DELETE' });
  await lossy.complete({ prompt: prompt.map((id) => id + 500), max_tokens: 1 });
  await until(() => lossy.heard.length === 1);
  assert.equal(lossy.heard[0]?.sequence, 1);
});

interface RecordedRun {
  readonly run: string;
  readonly blockSize: number;
  readonly numGpuBlocks: number;
  readonly maxModelLen: number;
  readonly maxNumSeqs: number;
  readonly hashAlgorithm: 'sha256' | 'sha256_cbor';
  readonly rawHashes: boolean;
  readonly steps: readonly {
    readonly step: string;
    readonly reset?: true;
    readonly requests?: readonly {
      readonly prompt: readonly number[];
      readonly output: readonly number[];
    }[];
    readonly cacheSalt?: string;
    readonly sessionId?: string;
    readonly reportFull?: true;
    readonly frames: readonly string[];
  }[];
}

const runs: readonly RecordedRun[] = JSON.parse(
  readFileSync(`${import.meta.dirname}/fixtures/vllm-kv-events.json`, 'utf8'),
);

for (const { run, steps, ...engine } of runs) {
  test(`over HTTP the requests of ${run} give the event messages of a real vLLM, prompts to the byte`, async (t) => {
    const { numGpuBlocks, hashAlgorithm, rawHashes, ...limits } = engine;
    const { complete, heard, url } = await start(t, {}, numGpuBlocks, {
      config: defaultEngineConfig({ ...limits, numGpuBlocks, maxNumBatchedTokens: 2048 }),
      prefixCachingHashAlgorithm: hashAlgorithm,
      rawKvEventHashes: rawHashes,
    });
    let seen = 0;
    for (const { step, reset, requests = [], frames, ...scope } of steps) {
      // It goes on from an answer, which was not ours.
      if (step === 'chat, second turn') continue;
      if (reset) await fetch(`${url}/reset_prefix_cache`, { method: 'POST' });
      if (requests.length > 0) {
        await complete({
          prompt: requests.map(({ prompt: tokens }) => tokens),
          max_tokens: requests[0]?.output.length,
          cache_salt: scope.cacheSalt,
          session_id: scope.sessionId,
          ...(scope.reportFull && { vllm_xargs: { kv_cache_report_mode: 'full' } }),
        });
      }
      await until(() => heard.length === seen + frames.length);
      const own = heard.slice(seen).map(({ events }) => events);
      seen += frames.length;
      for (const [i, frame] of frames.entries()) {
        const recorded = decodeKvEventBatch(Uint8Array.from(Buffer.from(frame, 'hex'))).events;
        const prompts = new Set(requests.flatMap(({ prompt: tokens }) => tokens));
        const isPrompt = recorded.every(
          (event) =>
            event.type !== 'BlockStored' ||
            Array.from((event as { tokenIds: ArrayLike<number> }).tokenIds).every((id) =>
              prompts.has(id),
            ),
        );
        const said = own[i] as readonly KvEvent[];
        if (isPrompt) assert.equal(timeless(said), timeless(recorded), step);
        else {
          // Generated tokens are ours, and so are the hashes of their blocks.
          const types = (events: readonly KvEvent[]) => events.map(({ type }) => type);
          assert.deepEqual(types(said), types(recorded as readonly KvEvent[]), step);
        }
      }
    }
  });
}

function timeless(events: readonly KvEvent[]): string {
  const batch = { timestampSeconds: 0, events, dataParallelRank: 0 };
  return Buffer.from(encodeKvEventBatch(batch)).toString('hex');
}

async function start(
  t: TestContext,
  faults: FaultOptions,
  numGpuBlocks = 100,
  options: Partial<EngineServerOptions> = {},
) {
  const server = await createEngineServer({
    ...{ port: 0, model: 'tiny', tokenizer, faults, devMode: true },
    config: defaultEngineConfig({ maxModelLen: 160, numGpuBlocks, blockSize: 16 }),
    cost: { stepSeconds: () => 0.001 },
    timeScale: Number.POSITIVE_INFINITY,
    kvEvents: {
      ...defaultKvEventsConfig,
      enable_kv_cache_events: true,
      publisher: 'zmq',
      endpoint: 'tcp://*:0',
    },
    ...options,
  });
  const sources = (await (await fetch(`${server.url}/kv_event_sources`)).json()) as {
    0: KvEventsConfig;
  };
  const heard: { sequence: number; events: readonly KvEvent[] }[] = [];
  const subscriber = new SubscriberSocket({
    endpoint: sources[0].endpoint,
    onMessage: ([, sequence, payload]) =>
      heard.push({
        sequence: Number(Buffer.from(sequence ?? []).readBigUInt64BE()),
        events: decodeKvEventBatch(payload ?? new Uint8Array()).events as readonly KvEvent[],
      }),
  });
  t.after(async () => {
    await subscriber.close();
    await server.close();
  });
  const complete = async (body: object, headers: Record<string, string> = {}) => {
    const answer = await fetch(`${server.url}/v1/completions`, {
      method: 'POST',
      headers: { 'content-type': 'application/json', ...headers },
      body: JSON.stringify({ ignore_eos: true, ...body }),
    });
    assert.equal(answer.status, 200);
    await answer.text();
  };
  await until(() => subscriber.connected);
  return { complete, heard, url: server.url };
}

async function until(condition: () => boolean): Promise<void> {
  const deadline = performance.now() + 5000;
  while (!condition()) {
    assert.ok(performance.now() < deadline, 'what the test waits for did not happen in 5 s');
    await new Promise((resolve) => setImmediate(resolve));
  }
}
