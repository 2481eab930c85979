// Development mode of the embedded engine: pausing, sleeping, resetting and aborting, as a real vLLM
// 0.32.0 did it under the same requests.
import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { createEngineServer, type EngineServerOptions } from '../../src/apps/engine/index.ts';
import { defaultEngineConfig } from '../../src/core/engine/index.ts';
import { loadTokenizer } from '../../src/io/tokenizers/index.ts';
import { runAdministration } from '../support/wire-administration.ts';

const tokenizer = await loadTokenizer();

test('the responses of the administrative routes are identical to those of a real vLLM, request after request', async () => {
  const results = await runAdministration();
  assert.ok(results.length > 100);
  assert.deepEqual(
    results.filter(({ isSame }) => !isSame),
    [],
  );
});

test('without development mode and a profiler these routes do not exist', async (t) => {
  const { url } = await start(t, { devMode: false });
  for (const [method, path] of [
    ['POST', '/sleep'],
    ['POST', '/wake_up'],
    ['GET', '/is_sleeping'],
    ['POST', '/release_kv_cache_memory'],
    ['POST', '/pause'],
    ['POST', '/resume'],
    ['GET', '/is_paused'],
    ['POST', '/abort_requests'],
    ['POST', '/reset_prefix_cache'],
    ['POST', '/reset_mm_cache'],
    ['POST', '/reset_encoder_cache'],
    ['GET', '/server_info'],
    ['POST', '/collective_rpc'],
    ['GET', '/weight_info'],
    ['POST', '/start_profile'],
    ['POST', '/v1/load_lora_adapter'],
  ] as const) {
    const answer = await fetch(url + path, { method });
    assert.deepEqual([answer.status, await answer.text()], [404, '{"detail":"Not Found"}'], path);
  }
});

for (const [level, state] of [
  [1, 'weights_offloaded'],
  [2, 'discard_all'],
] as const) {
  test(`sleep at level ${level} ends streams as aborted; what comes meanwhile is answered after waking`, async (t) => {
    const { url, metric, sleepState } = await start(t, {});
    const running = await stream(url);
    await running.next();
    const slept = await post(url, `/sleep?level=${level}`);
    assert.equal(slept, `{"status":"sleeping","level":${level}}`);
    assert.match(await running.rest(), /"finish_reason":"abort"[^\n]*\n\ndata: \[DONE\]\n\n$/);
    assert.equal(await sleepState(), state);

    assert.equal((await fetch(`${url}/health`)).status, 200);
    assert.equal((await fetch(`${url}/v1/models`)).status, 200);
    const meanwhile = await stream(url, { max_tokens: 3 });
    assert.equal(meanwhile.status, 200, 'its head comes at once');
    await pause(30);
    for (const name of ['running', 'waiting']) {
      assert.equal(await metric(`vllm:num_requests_${name}`), 0, `it is not ${name}`);
    }
    const part = await post(url, '/wake_up?tags=weights');
    assert.equal(part, '{"status":"sleeping","tags":["weights"]}');
    assert.equal(await post(url, '/wake_up'), '{"status":"awake","tags":null}');
    assert.match(await meanwhile.rest(), /"finish_reason":"length"/);
    assert.equal(await sleepState(), 'awake');
    assert.equal(await metric('vllm:request_success_total', 'finished_reason="abort"'), 1);
    const timed = 'vllm:sleep_mode_operation_duration_seconds_count';
    assert.equal(await metric(timed, 'operation="sleep"'), 1);
    assert.equal(await metric(timed, 'operation="wake"'), 2);
  });
}

test('sleep with mode=wait returns when the streams that run have ended', async (t) => {
  const { url } = await start(t, {});
  const running = await stream(url, { max_tokens: 30 });
  await running.next();
  let isOver = false;
  const end = running.rest().then((text) => {
    isOver = true;
    return text;
  });
  await post(url, '/sleep?mode=wait');
  await pause(0);
  assert.ok(isOver);
  assert.match(await end, /"finish_reason":"length"/);
});

test('sleep with mode=keep freezes streams; after waking they go on, their cache computed anew', async (t) => {
  const { url, metric } = await start(t, {});
  const running = await stream(url, { max_tokens: 40 });
  await running.next();
  await post(url, '/sleep?mode=keep');
  const before = await metric('vllm:generation_tokens_total');
  await pause(50);
  assert.equal(await metric('vllm:generation_tokens_total'), before, 'no token while asleep');
  assert.equal(await metric('vllm:num_requests_running'), 1, 'the gauges stand still as well');
  await post(url, '/wake_up');
  const text = await running.rest();
  assert.equal(text.split('"finish_reason":"length"').length, 2);
  assert.equal(running.count(text), 40, 'no token is lost and none comes twice');
  assert.equal(await metric('vllm:num_preemptions_total'), 1);
});

test('after a pause with mode=keep and without clearing the cache, streams continue where they stopped', async (t) => {
  const { url, metric } = await start(t, {});
  const running = await stream(url, { max_tokens: 40 });
  await running.next();
  await post(url, '/pause?mode=keep&clear_cache=false');
  const another = await stream(url, { max_tokens: 2 });
  await post(url, '/resume');
  assert.equal(running.count(await running.rest()), 40);
  assert.match(await another.rest(), /"finish_reason":"length"/);
  assert.equal(await metric('vllm:num_preemptions_total'), 0);
});

test('pause aborts what runs and what waits, and counts both as aborted', async (t) => {
  const { url, metric } = await start(t, {
    config: defaultEngineConfig({ maxModelLen: 4096, numGpuBlocks: 1000, maxNumSeqs: 1 }),
  });
  const running = await stream(url);
  await running.next();
  const waiting = await stream(url);
  await post(url, '/pause');
  for (const one of [running, waiting]) {
    assert.match(await one.rest(), /"finish_reason":"abort"[^\n]*\n\ndata: \[DONE\]\n\n$/);
  }
  assert.equal(await metric('vllm:request_success_total', 'finished_reason="abort"'), 2);
  assert.equal(await metric('vllm:num_requests_running'), 0);
  assert.equal(await metric('vllm:kv_cache_usage_perc'), 0);
});

test('a stream is aborted by its inner id, with the number of its prompt, and by no other', async (t) => {
  const { url, metric } = await start(t, {});
  const running = await stream(url, {}, { 'x-request-id': 'abort-me' });
  await running.next();
  const others = ['cmpl-abort-me', 'abort-me', 'cmpl-abort-me-1'];
  const tried = await post(url, '/abort_requests', { request_ids: others });
  assert.equal(tried, '{"status":"aborted","aborted":3}');
  await pause(30);
  assert.equal(await metric('vllm:num_requests_running'), 1);
  await post(url, '/abort_requests', { request_ids: ['cmpl-abort-me-0'] });
  assert.match(await running.rest(), /"finish_reason":"abort"[^\n]*\n\ndata: \[DONE\]\n\n$/);
  assert.equal(await metric('vllm:request_success_total', 'finished_reason="abort"'), 0);
});

test('abort without ids ends everything; choices of one request count with their parent', async (t) => {
  const { url } = await start(t, {});
  const single = await stream(url);
  const pair = await stream(url, { n: 2 });
  await Promise.all([single.next(), pair.next()]);
  assert.equal(await post(url, '/abort_requests', {}), '{"status":"aborted","aborted":4}');
  for (const one of [single, pair]) assert.match(await one.rest(), /data: \[DONE\]\n\n$/);
});

test('a prefix cache in use is reset only if the requests that run may start over', async (t) => {
  const { url, metric } = await start(t, {});
  const running = await stream(url, { max_tokens: 40 });
  await running.next();
  assert.equal(await post(url, '/reset_prefix_cache'), '{"success":false}');
  const forced = await post(url, '/reset_prefix_cache?reset_running_requests=true');
  assert.equal(forced, '{"success":true}');
  assert.equal(running.count(await running.rest()), 40);
  assert.equal(await metric('vllm:num_preemptions_total'), 1);
});

test('/server_info returns the configuration, as text or as an object', async (t) => {
  const { url } = await start(t, {});
  const text = (await (await fetch(`${url}/server_info`)).json()) as Record<string, unknown>;
  assert.deepEqual(Object.keys(text), ['vllm_config', 'vllm_env', 'system_env']);
  assert.match(String(text['vllm_config']), /^model='tiny', .*max_seq_len=4096/);
  const json = (await (await fetch(`${url}/server_info?config_format=json`)).json()) as {
    vllm_config: { cache_config: { num_gpu_blocks: number } };
  };
  assert.equal(json.vllm_config.cache_config.num_gpu_blocks, 1000);
});

async function start(t: TestContext, options: Partial<EngineServerOptions>) {
  const server = await createEngineServer({
    ...{ devMode: true, port: 0, model: 'tiny', tokenizer },
    config: defaultEngineConfig({ maxModelLen: 4096, numGpuBlocks: 1000 }),
    cost: { stepSeconds: () => 0.005 },
    ...options,
  });
  t.after(() => server.close());
  const { url } = server;
  const page = async () => (await fetch(`${url}/metrics`)).text();
  const metric = async (name: string, label = ''): Promise<number> => {
    const line = new RegExp(`^${name}(?:\\{[^}]*${label}[^}]*\\})? (\\S+)$`, 'm');
    return Number(line.exec(await page())?.[1]);
  };
  const sleepState = async () =>
    /^vllm:engine_sleep_state\{.*sleep_state="(\w+)"\} 1\.0$/m.exec(await page())?.[1];
  return { url, metric, sleepState };
}

async function post(url: string, path: string, body?: object): Promise<string> {
  const answer = await fetch(url + path, {
    method: 'POST',
    ...(body && {
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify(body),
    }),
  });
  return answer.text();
}

/** A stream of a completion; endless unless told otherwise. */
async function stream(url: string, body: object = {}, headers: Record<string, string> = {}) {
  const answer = await fetch(`${url}/v1/completions`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', ...headers },
    body: JSON.stringify({
      ...{ prompt: 'Tell me about dams.', max_tokens: 3000, ignore_eos: true, stream: true },
      ...{ return_token_ids: true },
      ...body,
    }),
  });
  const reader = (answer.body as ReadableStream<Uint8Array>).getReader();
  const decoder = new TextDecoder();
  let text = '';
  const next = async () => {
    const { done, value } = await reader.read();
    if (!done) text += decoder.decode(value, { stream: true });
    return done;
  };
  return {
    status: answer.status,
    next,
    /** All of it, from the first event. */
    rest: async () => {
      while (!(await next()));
      return text;
    },
    /** Tokens in it. */
    count: (all: string) =>
      [...all.matchAll(/"token_ids":\[([^\]]*)\]/g)].flatMap(([, ids]) => (ids ?? '').split(','))
        .length,
  };
}

async function pause(ms: number): Promise<void> {
  await new Promise((resolve) => setTimeout(resolve, ms));
}
