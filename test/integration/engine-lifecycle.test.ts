// What happens to the embedded engine's requests when clients leave, queues fill and it is stopped.
import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { type TestContext, test } from 'node:test';
import OpenAI from 'openai';
import { createEngineServer, type EngineServerOptions } from '../../src/apps/engine/index.ts';
import { defaultEngineConfig } from '../../src/core/engine/index.ts';
import { loadTokenizer } from '../../src/io/tokenizers/index.ts';
import { until } from '../support/until.ts';

const tokenizer = await loadTokenizer();
const messages: OpenAI.ChatCompletionMessageParam[] = [
  { role: 'user', content: 'Say hello to the reader.' },
];
/** Long enough that it never ends within a test. */
const endless = { model: 'tiny', messages, max_tokens: 3000, ...({ ignore_eos: true } as object) };

test('a client disconnect frees its blocks at once, whether streaming, waiting or not streamed', async (t) => {
  const { client, metric } = await start(t, {
    config: defaultEngineConfig({ maxModelLen: 4096, numGpuBlocks: 1000, maxNumSeqs: 2 }),
  });
  const aborts = [new AbortController(), new AbortController(), new AbortController()];
  const stream = await client.chat.completions.create(
    { ...endless, stream: true },
    { signal: aborts[0]?.signal ?? null },
  );
  await stream[Symbol.asyncIterator]().next();
  const plain = client.chat.completions.create(endless, { signal: aborts[1]?.signal ?? null });
  await until(async () => (await metric('vllm:num_requests_running')) === 2);
  const waiting = client.chat.completions.create(endless, { signal: aborts[2]?.signal ?? null });
  await until(async () => (await metric('vllm:num_requests_waiting')) === 1);
  assert.ok((await metric('vllm:kv_cache_usage_perc')) > 0);

  aborts[2]?.abort();
  await assert.rejects(waiting, OpenAI.APIUserAbortError);
  await until(async () => (await metric('vllm:num_requests_waiting')) === 0);
  for (const abort of aborts) abort.abort();
  await assert.rejects(plain, OpenAI.APIUserAbortError);
  await until(async () => (await metric('vllm:kv_cache_usage_perc')) === 0);
  assert.equal(await metric('vllm:num_requests_running'), 0);
  assert.equal(await metric('vllm:request_success_total'), 0);
});

test('above the queue limit a request gets 503 with the message of vLLM, and is counted', async (t) => {
  const { client, metric } = await start(t, { maxNumQueuedReqs: 1 });
  const abort = new AbortController();
  const stream = await client.chat.completions.create(
    { ...endless, stream: true },
    { signal: abort.signal },
  );
  await stream[Symbol.asyncIterator]().next();
  await assert.rejects(
    client.chat.completions.create(endless),
    (error) =>
      error instanceof OpenAI.InternalServerError &&
      error.status === 503 &&
      /The engine is currently busy/.test(error.message),
  );
  assert.equal(await metric('vllm:admission_rejections_total'), 1);
  abort.abort();
});

test('an engine that falls behind its clock says so in the log once, in a header and a metric', async (t) => {
  const lines: string[] = [];
  // 50,000 steps a second, each with sampling: no machine keeps up with that.
  const { client, url, metric } = await start(t, {
    timeScale: 250,
    config: defaultEngineConfig({ maxModelLen: 40_960, numGpuBlocks: 60_000 }),
    log: (line) => lines.push(line),
  });
  const abort = new AbortController();
  const streams = Array.from({ length: 20 }, () =>
    client.chat.completions.create(
      { ...endless, max_tokens: 40_000, stream: true },
      { signal: abort.signal },
    ),
  );
  await Promise.all(streams);
  await until(() => lines.length > 0);
  const answer = await fetch(`${url}/v1/completions`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ prompt: 'x', max_tokens: 1 }),
  });
  assert.ok(Number(answer.headers.get('x-spillway-lag-seconds')) > 0.1);
  assert.ok((await metric('spillway:engine_lag_seconds')) > 0.1);
  assert.deepEqual(lines.length, 1);
  assert.match(lines[0] ?? '', /s behind its own clock: this machine is too slow/);
  abort.abort();
});

test('a prefix cache in use is not reset', async (t) => {
  const { client, url } = await start(t, {});
  const abort = new AbortController();
  const stream = await client.chat.completions.create(
    { ...endless, stream: true },
    { signal: abort.signal },
  );
  await stream[Symbol.asyncIterator]().next();
  const answer = await fetch(`${url}/reset_prefix_cache`, { method: 'POST' });
  assert.deepEqual(await answer.json(), { success: false });
  abort.abort();
});

test('on SIGTERM running streams finish, new requests get 500, and the exit code is 0', async (t) => {
  const engine = await startProcess(t, ['--shutdown-timeout', '20']);
  const client = new OpenAI({ baseURL: engine.url, apiKey: 'none', maxRetries: 0 });
  const stream = await client.chat.completions.create({
    // Seconds of answer, so that the stream still runs when the new request comes.
    ...{ model: 'qwen3-0.6b', messages, max_tokens: 1500, stream: true },
    ...({ ignore_eos: true } as object),
  });
  const iterator = stream[Symbol.asyncIterator]();
  await iterator.next();
  const exit = once(engine.child, 'exit');
  engine.child.kill('SIGTERM');
  await until(async () => {
    const refused = await fetch(`${engine.url}/completions`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ prompt: 'x' }),
    });
    const text = await refused.text();
    return refused.status === 500 && text.includes('cannot schedule new futures after shutdown');
  });
  let finish: string | null | undefined;
  for (let next = await iterator.next(); !next.done; next = await iterator.next()) {
    finish = next.value.choices[0]?.finish_reason ?? finish;
  }
  assert.equal(finish, 'length');
  assert.deepEqual(await exit, [0, null]);
});

test('without a shutdown timeout SIGTERM ends streams with an error and exit code 0', async (t) => {
  const engine = await startProcess(t, []);
  const response = await fetch(`${engine.url}/chat/completions`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ ...endless, model: undefined, stream: true }),
  });
  const exit = once(engine.child, 'exit');
  engine.child.kill('SIGTERM');
  const text = await response.text();
  assert.match(text, /EngineCore encountered an issue[^\n]*\n\ndata: \[DONE\]\n\n$/);
  assert.deepEqual(await exit, [0, null]);
});

test('a drain that exceeds its timeout ends its streams with an error; until then nothing stops them', async (t) => {
  const engine = await startProcess(t, ['--shutdown-timeout', '3']);
  const response = await fetch(`${engine.url}/completions`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ prompt: 'x', max_tokens: 30_000, ignore_eos: true, stream: true }),
  });
  const exit = once(engine.child, 'exit');
  const startMs = performance.now();
  engine.child.kill('SIGTERM');
  const text = response.text();
  // What a real vLLM ignores while it drains.
  for (const signal of ['SIGTERM', 'SIGINT'] as const) {
    await new Promise((resolve) => setTimeout(resolve, 300));
    engine.child.kill(signal);
  }
  const health = await fetch(engine.url.replace(/\/v1$/, '/health'));
  assert.equal(health.status, 200, 'a draining engine is healthy');
  assert.match(await text, /EngineCore encountered an issue[^\n]*\n\ndata: \[DONE\]\n\n$/);
  assert.ok(performance.now() - startMs > 2500, 'it had its time');
  assert.deepEqual(await exit, [0, null]);
});

test('an idle engine stops at once on SIGTERM, with exit code 0', async (t) => {
  const engine = await startProcess(t, ['--shutdown-timeout', '30']);
  const exit = once(engine.child, 'exit');
  const startMs = performance.now();
  engine.child.kill('SIGTERM');
  assert.deepEqual(await exit, [0, null]);
  assert.ok(performance.now() - startMs < 10_000, 'it does not wait for its timeout');
});

test('an engine logs what it is and which flags have no effect, and refuses unknown flags', async (t) => {
  const engine = await startProcess(t, ['--enforce-eager', '--download-dir', '/tmp']);
  assert.match(engine.firstLine, /emulation of vLLM by Spillway .* synthetic text/);
  await until(() => /--enforce-eager has no effect here: step times/.test(engine.log()));
  await until(() => /--download-dir has no effect here: no weights are loaded/.test(engine.log()));
  const wrong = spawnEngine(t, ['--max-modl-len', '5']);
  let message = '';
  wrong.stderr?.on('data', (bytes) => {
    message += bytes;
  });
  const [code] = await once(wrong, 'exit');
  assert.equal(code, 2);
  assert.match(message, /did you mean --max-model-len\?/);
});

async function start(t: TestContext, options: Partial<EngineServerOptions>) {
  const server = await createEngineServer({
    devMode: true,
    port: 0,
    model: 'tiny',
    tokenizer,
    config: defaultEngineConfig({ maxModelLen: 4096, numGpuBlocks: 1000 }),
    cost: { stepSeconds: () => 0.005 },
    ...options,
  });
  t.after(() => server.close());
  const metric = async (name: string): Promise<number> => {
    const page = await (await fetch(`${server.url}/metrics`)).text();
    return Number(new RegExp(`^${name}(?:\\{[^}]*\\})? (\\S+)$`, 'm').exec(page)?.[1]);
  };
  const client = new OpenAI({ baseURL: `${server.url}/v1`, apiKey: 'none', maxRetries: 0 });
  return { client, metric, url: server.url };
}

function spawnEngine(t: TestContext, flags: readonly string[]): ChildProcess {
  const args = ['bin/spillway.mjs', 'engine', 'qwen3-0.6b', '--port', '0', ...flags];
  const child = spawn(process.execPath, args, {
    cwd: `${import.meta.dirname}/../..`,
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  t.after(() => child.kill('SIGKILL'));
  return child;
}

async function startProcess(t: TestContext, flags: readonly string[]) {
  const child = spawnEngine(t, flags);
  let log = '';
  child.stderr?.on('data', (bytes) => {
    log += bytes;
  });
  const lines = createInterface({ input: child.stdout as NodeJS.ReadableStream });
  const [firstLine] = (await once(lines, 'line')) as [string];
  const url = /ready: (\S+)/.exec(firstLine)?.[1] ?? '';
  return { child, url, firstLine, log: () => log };
}
