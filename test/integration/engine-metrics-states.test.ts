// The embedded engine's /metrics in the states in which a real vLLM 0.32.0 was recorded, reached by
// the same requests: the same families, labels and buckets, and the same counts.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { type TestContext, test } from 'node:test';
import { gunzipSync } from 'node:zlib';
import { createEngineServer, type EngineServerOptions } from '../../src/apps/engine/index.ts';
import { defaultEngineConfig, type StepLoad } from '../../src/core/engine/index.ts';
import { loadTokenizer } from '../../src/io/tokenizers/index.ts';
import { differingCounts, recordedMetrics, sameCounts } from '../support/wire-metrics-state.ts';

const tokenizer = await loadTokenizer();

interface Step {
  readonly request: {
    readonly path?: string;
    readonly body?: object;
    readonly prompts?: readonly (readonly number[])[];
    readonly max_tokens?: number;
  } | null;
}

const evict40 = gunzipSync(
  readFileSync(`${import.meta.dirname}/../conformance/vllm-wire/kv-evict40.jsonl.gz`),
)
  .toString()
  .trim()
  .split('\n')
  .map((line) => JSON.parse(line) as Step);
const small = {
  config: defaultEngineConfig({
    ...{ blockSize: 32, numGpuBlocks: 40, maxModelLen: 1024, maxNumSeqs: 8 },
  }),
  enablePromptTokensDetails: true,
  kvCacheMetricsSample: 1e-9,
} as const;
/** The recorded server of the other states. */
const large = defaultEngineConfig({
  ...{ maxModelLen: 8192, numGpuBlocks: 16_384, blockSize: 128, maxNumSeqs: 2 },
});

test('fresh, with a pool of 40 blocks and block metrics', async (t) => {
  const { page } = await start(t, small);
  const real = recordedMetrics('evict40-fresh');
  assert.deepEqual(differingCounts(await page(), real), sameCounts);
});

test('during and after the preemptions of six streams that outgrow the pool', async (t) => {
  const pace = { seconds: 0.001 };
  const { page, post, stream, until } = await start(t, {
    ...small,
    cost: { stepSeconds: () => pace.seconds },
  });
  let during = '';
  for (const { request } of evict40) {
    if (request?.path && request.body) await post(request.path, request.body);
    if (request?.path === '/reset_prefix_cache') await post(request.path);
    if (!request?.prompts) continue;
    // As recorded: one of the six is in the first step, the others join the second.
    pace.seconds = 2;
    const [first, ...others] = request.prompts.map((prompt) => ({
      ...{ prompt, max_tokens: request.max_tokens, ignore_eos: true },
    }));
    const streams = [await stream(first as object)];
    await new Promise((resolve) => setTimeout(resolve, 100));
    streams.push(...(await Promise.all(others.map((body) => stream(body)))));
    pace.seconds = 0.02;
    await until(async () => {
      during = await page();
      return /^vllm:num_requests_running\{.*\} 6\.0$/m.test(during);
    });
    pace.seconds = 0.001;
    await Promise.all(streams.map((one) => one.rest()));
  }
  const moment = [
    'iteration_tokens_total_',
    'generation_tokens',
    'inter_token_latency',
    'kv_cache_',
  ];
  assert.deepEqual(
    differingCounts(during, recordedMetrics('during-preemptions'), moment),
    sameCounts,
  );
  assert.deepEqual(differingCounts(await page(), recordedMetrics('after-preemptions')), sameCounts);
});

test('two run and six wait', async (t) => {
  // Slow: within the three blocks of their prompts they stay for seconds.
  const { page, stream, until } = await start(t, { cost: { stepSeconds: () => 0.05 } });
  for (let i = 0; i < 8; i++) await stream({ prompt: tokensOf(300, i), max_tokens: 3000 });
  let now = '';
  await until(async () => {
    now = await page();
    return /^vllm:num_requests_waiting\{.*\} 6\.0$/m.test(now);
  });
  const gauges = ['num_requests_', 'kv_cache_usage_perc', 'engine_sleep_state', 'num_preemptions'];
  const real = recordedMetrics('running-and-waiting');
  assert.deepEqual(differingCounts(now, real, [], gauges), sameCounts);
});

test('after six refusals because no sequence slot is free', async (t) => {
  const pace = { seconds: 0.2 };
  const { page, post, stream } = await start(t, {
    ...{ config: large, maxNumQueuedReqs: 10 },
    cost: { stepSeconds: () => pace.seconds },
  });
  const streams = [];
  for (let i = 0; i < 10; i++) streams.push(await stream({ prompt: 'hi', max_tokens: 100 }));
  for (let i = 0; i < 6; i++) await post('/v1/completions', { prompt: 'hi', max_tokens: 3 });
  pace.seconds = 0.003;
  await Promise.all(streams.map((one) => one.rest()));
  const told = ['num_requests_', 'kv_cache_usage_perc', 'engine_sleep_state', 'admission_'];
  const real = recordedMetrics('after-refusals');
  assert.deepEqual(differingCounts(await page(), real, [], told), sameCounts);
});

test('after two refusals for the tokens that wait', async (t) => {
  const { page, post, stream, until } = await start(t, { config: large, maxNumQueuedTokens: 3000 });
  const running = [];
  for (let i = 0; i < 2; i++) running.push(await stream({ prompt: tokensOf(20, i) }));
  for (const one of running) await one.next();
  for (let i = 2; i < 4; i++) await stream({ prompt: tokensOf(1600, i) });
  for (let i = 0; i < 2; i++) await post('/v1/completions', { prompt: tokensOf(20, 9) });
  await until(async () => /^vllm:num_requests_waiting\{.*\} 2\.0$/m.test(await page()));
  const told = ['num_requests_', 'engine_sleep_state', 'admission_', 'num_preemptions'];
  const real = recordedMetrics('after-token-refusal');
  assert.deepEqual(differingCounts(await page(), real, [], told), sameCounts);
});

test('after four times asleep, with two streams aborted and one frozen', async (t) => {
  const { page, post, stream } = await start(t, {
    config: { ...large, maxNumSeqs: 128, maxNumActiveSeqs: 128 },
  });
  const endless = { prompt: 'hi', max_tokens: 3000 };
  for (const level of [1, 2]) {
    const aborted = await stream(endless);
    await aborted.next();
    await post(`/sleep?level=${level}`);
    await aborted.rest();
    await post('/wake_up?tags=weights');
    await post('/wake_up');
  }
  const waitedFor = await stream({ prompt: 'hi', max_tokens: 20 });
  await waitedFor.next();
  await post('/sleep?mode=wait');
  await post('/wake_up');
  const frozen = await stream({ prompt: 'hi', max_tokens: 20 });
  await frozen.next();
  await post('/sleep?mode=keep');
  await post('/wake_up');
  await Promise.all([waitedFor.rest(), frozen.rest()]);
  const told = [
    ...['num_requests_', 'kv_cache_usage_perc', 'engine_sleep_state', 'num_preemptions'],
    ...['sleep_mode_operation', 'request_num_preemptions_sum'],
  ];
  const own = await page();
  const real = recordedMetrics('after-sleep');
  assert.deepEqual(differingCounts(own, real, [], told), sameCounts);
  assert.match(own, /request_success_total\{.*finished_reason="abort".*\} 2\.0/);
});

test('HTTP requests count by route; those to no route together, those of monitors and refused keys not at all', async (t) => {
  const { page, url } = await start(t, { apiKey: 'key', allowRuntimeLoraUpdating: true });
  const authorization = 'Bearer key';
  for (const [path, init] of [
    ['/v1/models', { headers: { authorization } }],
    ['/v1/models', {}],
    ['/v1/responses/resp_1', { headers: { authorization } }],
    ['/v1/completions', { headers: { authorization } }],
    ['/nowhere', {}],
    ['/nowhere/else', {}],
    ['/health', {}],
    ['/v1/load_lora_adapter', { method: 'POST', headers: { authorization } }],
  ] as const) {
    await (await fetch(url + path, init)).text();
  }
  const counted = [...(await page()).matchAll(/^http_requests_total(.*)$/gm)].map(
    ([, line]) => line,
  );
  assert.deepEqual(counted, [
    '{handler="/v1/models",method="GET",status="2xx"} 1.0',
    '{handler="/v1/responses/{response_id}",method="GET",status="4xx"} 1.0',
    '{handler="/v1/completions",method="GET",status="4xx"} 1.0',
    '{handler="none",method="GET",status="4xx"} 2.0',
  ]);
});

function tokensOf(length: number, salt: number): number[] {
  return Array.from({ length }, (_, i) => 1000 + salt * 300 + (i % 300));
}

async function start(t: TestContext, options: Partial<EngineServerOptions>) {
  const server = await createEngineServer({
    ...{ devMode: true, port: 0, model: 'tiny', tokenizer, config: large },
    cost: { stepSeconds: (_load: StepLoad) => 0.003 },
    ...options,
  });
  const leaving = new AbortController();
  t.after(() => {
    leaving.abort();
    return server.close();
  });
  const send = (path: string, body: object | undefined) =>
    fetch(server.url + path, {
      method: 'POST',
      ...(body && {
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify(body),
      }),
      signal: leaving.signal,
    });
  const post = async (path: string, body?: object) => (await send(path, body)).text();
  const stream = async (body: object) => {
    const given = { ignore_eos: true, max_tokens: 3000, ...body, stream: true };
    const answer = await send('/v1/completions', given);
    const reader = (answer.body as ReadableStream<Uint8Array>).getReader();
    const next = async () => (await reader.read()).done;
    const rest = async () => {
      while (!(await next()));
    };
    return { next, rest };
  };
  const page = async () => (await fetch(`${server.url}/metrics`)).text();
  const until = async (condition: () => Promise<boolean>) => {
    const deadline = performance.now() + 10_000;
    while (!(await condition())) {
      assert.ok(performance.now() < deadline, 'what the test waits for did not happen in 10 s');
      await new Promise((resolve) => setTimeout(resolve, 2));
    }
  };
  return { url: server.url, page, post, stream, until };
}
