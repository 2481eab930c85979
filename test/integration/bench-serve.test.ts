// `spillway bench serve` as a user runs it, against a scripted server.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { createServer as createTlsServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, type TestContext, test } from 'node:test';
import { parseWorkload, startWorkload } from '../../src/core/workload/index.ts';
import { startFleet } from '../support/fleet.ts';
import { type ScriptedOpenai, scriptedOpenai } from '../support/scripted-openai.ts';
import { until } from '../support/until.ts';

const directory = mkdtempSync(join(tmpdir(), 'spillway-bench-serve-'));
after(() => rmSync(directory, { recursive: true }));

function start(...args: readonly string[]) {
  const { OPENAI_API_KEY: _, ...env } = process.env;
  const child = spawn(process.execPath, ['bin/spillway.mjs', 'bench', 'serve', ...args], { env });
  const texts = { stdout: '', stderr: '' };
  for (const name of ['stdout', 'stderr'] as const) {
    child[name].setEncoding('utf8').on('data', (text: string) => {
      texts[name] += text;
    });
  }
  const ended = new Promise<{ status: number | null; stdout: string; stderr: string }>((resolve) =>
    child.once('close', (status) => resolve({ status, ...texts })),
  );
  return { child, ended };
}

const run = (...args: readonly string[]) => start(...args).ended;

async function server(t: TestContext, gapMs = 1): Promise<ScriptedOpenai> {
  const scripted = await scriptedOpenai({ gapMs });
  t.after(() => scripted.close());
  return scripted;
}

/** The server's URL as users know it, without the path of the API. */
const rootOf = ({ url }: ScriptedOpenai) => url.replace(/\/v1$/, '');

const model = 'Qwen/Qwen3-8B';
const smallRandom = ['--random-input-len', '30', '--random-output-len', '4'];

test('random requests at a rate, with the result of vllm bench serve on standard output', async (t) => {
  const scripted = await server(t);
  const { status, stdout, stderr } = await run(
    ...['--url', rootOf(scripted), '--dataset-name', 'random', ...smallRandom],
    ...['--num-prompts', '12', '--request-rate', '60', '--num-warmups', '0', '--json'],
  );
  assert.equal(status, 0, stderr);
  const result = JSON.parse(stdout);
  assert.deepEqual(
    [result.backend, result.model_id, result.num_prompts, result.request_rate, result.burstiness],
    ['openai', 'scripted', 12, 60, 1],
  );
  assert.deepEqual([result.completed, result.failed, result.max_concurrency], [12, 0, null]);
  assert.match(result.date, /^\d{8}-\d{6}$/);
  assert.ok(result.mean_ttft_ms > 0 && result.mean_e2el_ms > result.mean_ttft_ms);
  assert.equal(result.p99_ttft_ms, null, '12 requests have no 99th percentile');
  assert.equal(result.ttfts, undefined, 'arrays only with --save-detailed');
  assert.equal(result.spillway.errors_by_kind.refused, undefined);
  for (const request of scripted.requests) {
    assert.deepEqual(
      [request.path, request.max_tokens, request.min_tokens, request.ignore_eos],
      ['/v1/completions', 4, 4, true],
    );
    assert.equal((request.prompt as string).split(' ').length, 30);
  }
});

test('chats, further fields and headers, early ends, and saved results with all values', async (t) => {
  const scripted = await server(t);
  const folder = join(directory, 'results');
  const { status, stdout, stderr } = await run(
    ...['--base-url', scripted.url, '--backend', 'openai-chat', ...smallRandom],
    ...['--num-prompts', '3', '--no-ignore-eos', '--temperature', '0.5', '--extra-body'],
    ...['{"top_k": 7}', '--header', 'authorization=Bearer x', '--save-result', '--save-detailed'],
    ...[
      '--result-dir',
      folder,
      '--json',
      join(directory, 'beside.json'),
      '--label',
      'nightly',
      '--metadata',
      'commit=abc',
    ],
    ...['--percentile-metrics', 'ttft,tpot', '--num-warmups', '0'],
  );
  assert.equal(status, 0, stderr);
  assert.match(stdout, /3 of 3 requests completed/);
  const [name = ''] = readdirSync(folder);
  assert.match(name, /^nightly-infqps-\d{8}-\d{6}\.json$/);
  const saved = readFileSync(join(folder, name), 'utf8');
  assert.equal(readFileSync(join(directory, 'beside.json'), 'utf8'), saved);
  const result = JSON.parse(saved);
  assert.deepEqual([result.label, result.commit, result.request_rate], ['nightly', 'abc', 'inf']);
  assert.deepEqual([result.ttfts.length, result.input_lens], [3, [1000, 1000, 1000]]);
  assert.ok('mean_tpot_ms' in result && !('mean_e2el_ms' in result));
  for (const request of scripted.requests) {
    const { path, authorization, ignore_eos, min_tokens } = request;
    assert.deepEqual([path, authorization], ['/v1/chat/completions', 'Bearer x']);
    assert.deepEqual([ignore_eos, min_tokens], [undefined, undefined]);
    assert.deepEqual(
      ['temperature', 'top_k'].map((field) => Reflect.get(request, field)),
      [0.5, 7],
    );
  }
});

test('users ask one after another until the time is over', async (t) => {
  const scripted = await server(t, 5);
  let most = 0;
  const watch = setInterval(() => {
    most = Math.max(most, scripted.open());
  }, 1);
  t.after(() => clearInterval(watch));
  const { status, stdout, stderr } = await run(
    ...['--url', scripted.url, ...smallRandom, '--users', '2', '--duration', '1s'],
    ...['--num-warmups', '0', '--json'],
  );
  assert.equal(status, 0, stderr);
  assert.match(stderr, /^Sending requests for 1\.0 s from 2 users against scripted\.$/m);
  const result = JSON.parse(stdout);
  assert.equal(most, 2);
  assert.ok(result.completed > 2, 'users ask again');
  assert.equal(result.num_prompts, result.completed);
  assert.deepEqual([result.spillway.users, result.spillway.interrupted], [2, false]);
  // A user's request is due when the one before it has ended, so that waiting is no lag of the client.
  assert.ok(result.spillway.client_lag_ms.mean < result.mean_e2el_ms / 2);
});

test('questions of a ShareGPT file, as often as asked for', async (t) => {
  const scripted = await server(t);
  const file = join(directory, 'sharegpt.json');
  const turn = (value: string) => ({ from: 'human', value });
  const conversations = [
    [turn('How do I boil an egg for six minutes?'), turn('Put it into boiling water and wait.')],
    [turn('What is the capital of France, please?'), turn('It is Paris, on the river Seine.')],
    [turn('Hi'), turn('too short to be used')],
    [turn('a question without an answer, which is not used')],
  ];
  writeFileSync(file, JSON.stringify(conversations.map((turns) => ({ conversations: turns }))));
  const { status, stderr } = await run(
    ...['--url', scripted.url, '--dataset-name', 'sharegpt', '--dataset-path', file],
    ...['--num-prompts', '5', '--num-warmups', '0', '--sharegpt-output-len', '6'],
  );
  assert.equal(status, 0, stderr);
  const prompts = scripted.requests.map(({ prompt }) => prompt);
  assert.equal(prompts.length, 5);
  assert.deepEqual([...new Set(prompts)].toSorted(), [
    'How do I boil an egg for six minutes?',
    'What is the capital of France, please?',
  ]);
  assert.ok(scripted.requests.every(({ max_tokens }) => max_tokens === 6));
});

test('every API of an engine, with equal counts of tokens', async (t) => {
  const fleet = await startFleet(t, {
    engines: 1,
    policy: 'roundrobin',
    model,
    timeScale: Infinity,
  });
  for (const [backend, path] of [
    ['openai', '/v1/completions'],
    ['openai-chat', '/v1/chat/completions'],
    ['openai-responses', '/v1/responses'],
    ['anthropic', '/v1/messages'],
  ] as const) {
    const { status, stdout, stderr } = await run(
      ...['--url', fleet.url, '--endpoint', path, '--random-input-len', '50', '--seed', '3'],
      ...['--random-output-len', '7', '--num-prompts', '4', '--num-warmups', '0', '--json'],
    );
    assert.equal(status, 0, `${backend}: ${stderr}`);
    const { completed, total_input_tokens, total_output_tokens, spillway } = JSON.parse(stdout);
    const { output_mismatches, prompt_mismatches } = spillway;
    assert.deepEqual([completed, total_input_tokens, prompt_mismatches], [4, 200, 0], backend);
    // Messages may end early; the result says how many did.
    if (backend !== 'anthropic')
      assert.deepEqual([total_output_tokens, output_mismatches], [28, 0]);
  }
});

test('embeddings are measured as one chunk', async (t) => {
  const server = createServer((request, response) => {
    request.resume();
    const isModels = request.url === '/v1/models';
    const embedding = { data: [{ embedding: [1, 2] }], usage: { prompt_tokens: 50 } };
    response.end(JSON.stringify(isModels ? { data: [{ id: 'e' }] } : embedding));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  t.after(() => server.close());
  const { port } = server.address() as AddressInfo;
  const { status, stdout, stderr } = await run(
    ...[
      '--url',
      `http://127.0.0.1:${port}`,
      '--backend',
      'openai-embeddings',
      '--num-prompts',
      '3',
    ],
    ...['--random-input-len', '50', '--num-warmups', '0', '--json'],
  );
  assert.equal(status, 0, stderr);
  const result = JSON.parse(stdout);
  assert.deepEqual(
    [result.completed, result.total_input_tokens, result.total_output_tokens, result.mean_tpot_ms],
    [3, 150, 0, null],
  );
  assert.equal(result.mean_ttft_ms, result.mean_e2el_ms);
});

test('each request is for one of the LoRA adapters, drawn from the seed', async (t) => {
  const asked: string[] = [];
  const server = createServer((request, response) => {
    let text = '';
    request.on('data', (part) => {
      text += part;
    });
    request.on('end', () => {
      const isModels = request.url === '/v1/models';
      if (request.url === '/v1/embeddings') asked.push(JSON.parse(text).model);
      const embedding = { data: [{ embedding: [1] }], usage: { prompt_tokens: 20 } };
      response.end(JSON.stringify(isModels ? { data: [{ id: 'base' }] } : embedding));
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  t.after(() => server.close());
  const { port } = server.address() as AddressInfo;
  const { status, stderr } = await run(
    ...['--url', `http://127.0.0.1:${port}`, '--backend', 'openai-embeddings'],
    ...['--num-prompts', '40', '--random-input-len', '20', '--num-warmups', '0', '--json'],
    ...['--max-concurrency', '1', '--lora-modules', 'sql', 'chat'],
  );
  assert.equal(status, 0, stderr);
  const of = (name: string) => asked.filter((model) => model === name).length;
  assert.equal(of('sql') + of('chat'), 40);
  assert.ok(of('sql') >= 10 && of('chat') >= 10, `${of('sql')} of 40`);
});

test('a live conversation finds cached what the workload says, responses included', async (t) => {
  const fleet = await startFleet(t, { engines: 1, policy: 'roundrobin', model, timeScale: 2 });
  const file = join(directory, 'chat.yaml');
  const settings = { users: 4, rounds: 5, qps: 8, sharedSystemPrompt: 200, userHistoryPrompt: 300 };
  const workload = {
    kind: 'multi-round-qa',
    ...settings,
    question: 20,
    answerLen: 40,
    requests: 40,
  };
  writeFileSync(file, JSON.stringify(workload));
  for (const endpoint of ['/v1/completions', '/v1/chat/completions']) {
    const seed = endpoint.includes('chat') ? '1' : '2';
    const { status, stdout, stderr } = await run(
      ...['--url', fleet.url, '--endpoint', endpoint, '--workload', file, '--time-scale', '2'],
      ...['--num-warmups', '0', '--seed', seed, '--json'],
    );
    assert.equal(status, 0, stderr);
    const { completed, total_input_tokens, spillway } = JSON.parse(stdout);
    assert.deepEqual([completed, spillway.prompt_mismatches], [40, 0]);
    const { cached, prompts } = played(file);
    // The times of the responses say which turns are among the first 40 requests.
    const [found, expected] = [spillway.cached_tokens / total_input_tokens, cached / prompts];
    assert.ok(Math.abs(found - expected) < 0.02, `${endpoint}: ${found} for ${expected}`);
  }
});

/** Tokens of the prompts of a workload, and those that a cache without a limit has of them. */
function played(file: string): { readonly cached: number; readonly prompts: number } {
  const workload = parseWorkload(readFileSync(file, 'utf8'), file);
  const { source } = startWorkload(workload, { blockTokens: 16, seed: 1 });
  const seen = new Set<number>();
  const open: { readonly index: number; readonly endSeconds: number }[] = [];
  let [cached, prompts] = [0, 0];
  for (let index = 0; ; index++) {
    // Each response takes a tenth of a second, less than the pause before the next question.
    while (open[0] !== undefined && open[0].endSeconds <= source.nextSeconds) {
      const ended = open.shift() as (typeof open)[0];
      source.answered(ended.index, ended.endSeconds);
    }
    if (!Number.isFinite(source.nextSeconds)) break;
    const { promptTokens, blockIds, arrivalSeconds } = source.take();
    open.push({ index, endSeconds: arrivalSeconds + 0.1 });
    const whole = blockIds.slice(0, Math.floor((promptTokens - 1) / 16));
    const firstNew = whole.findIndex((id) => !seen.has(id));
    cached += 16 * (firstNew < 0 ? whole.length : firstNew);
    prompts += promptTokens;
    for (const id of blockIds) seen.add(id);
  }
  return { cached, prompts };
}

test('Ctrl-C prints what was measured, with status 130', async (t) => {
  const scripted = await server(t);
  const { child, ended } = start(
    ...['--url', scripted.url, ...smallRandom, '--num-prompts', '500', '--request-rate', '50'],
    ...['--num-warmups', '0'],
  );
  await until(() => scripted.requests.length > 5);
  child.kill('SIGINT');
  const { status, stdout } = await ended;
  assert.equal(status, 130);
  assert.match(stdout, /^Interrupted: \d+ of 500 requests completed/);
});

test('what contradicts itself is refused in one sentence with status 2', async () => {
  const cases: readonly (readonly [readonly string[], RegExp])[] = [
    [['--users', '2', '--request-rate', '4'], /--users is a closed loop, which has no rate/],
    [['--ramp-up-strategy', 'linear'], /needs --ramp-up-start-rps and --ramp-up-end-rps/],
    [['--ramp-up-start-rps', '4'], /need --ramp-up-strategy/],
    [['--goodput', 'ttft:soon'], /--goodput ttft:soon must be ttft, tpot or e2el/],
    [['--url', 'http://a', '--base-url', 'http://b'], /--url and --base-url are the same/],
    [
      ['--endpoint', '/v1/rerank'],
      /--endpoint \/v1\/rerank must end in .*\/messages, \/embeddings/,
    ],
    [['--dataset-name', 'multi-round-qa'], /has no end: give --duration or --num-prompts/],
    [
      ['--workload', 'w.yaml', '--request-rate', '4'],
      /--dataset-name workload says itself when its requests are due: drop --request-rate/,
    ],
    [['--workload', 'w.yaml', '--dataset-name', 'sharegpt'], /are two datasets: give one/],
    [['--request-rate', '0'], /It must be a number above 0, or inf/],
    [['--extra-body', '[]'], /It must be a JSON object/],
    [['--percentile-metrics', 'speed'], /It must be a list of ttft, tpot, itl, e2el/],
    [['--header', 'x'], /--header x must be KEY=VALUE/],
    [['--header', 'x y=1'], /The header x y cannot be sent/],
    [['--api-key', 'a\nb'], /The header authorization cannot be sent/],
  ];
  for (const [args, sentence] of cases) {
    const { status, stderr, stdout } = await run(...args);
    assert.equal(status, 2, `${args.join(' ')}: ${stderr}`);
    assert.equal(stdout, '');
    assert.match(stderr, sentence);
    assert.doesNotMatch(stderr, /\n\s+at /);
  }
});

test('a server whose certificate is not trusted is told from one that is down', async (t) => {
  const file = (name: string) =>
    readFileSync(join(import.meta.dirname, '../support/tls', `${name}.pem`));
  const tls = { cert: file('localhost-cert'), key: file('localhost-key') };
  const server = createTlsServer(tls, (_, response) => response.end());
  server.listen(0, '127.0.0.1');
  t.after(() => server.close());
  await once(server, 'listening');
  const url = `https://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const { status, stderr } = await run('--url', url, '--num-prompts', '1');
  assert.match(stderr, /its certificate is not trusted\. .*NODE_EXTRA_CA_CERTS=FILE.*--insecure/);
  assert.equal(status, 4);
});

test('a server that cannot be reached is one sentence with status 4', async () => {
  const { status, stderr } = await run('--url', 'http://127.0.0.1:1', '--num-prompts', '1');
  assert.match(stderr, /Cannot reach http:\/\/127\.0\.0\.1:1\/v1: .*Is the server up\?/);
  assert.equal(status, 4);
});

for (const clients of ['1', '2']) {
  test(`a server that goes before the load is not there: status 4, with --clients ${clients}`, async (t) => {
    const gone = createServer((_, response) => {
      response.setHeader('connection', 'close');
      gone.close();
      response.end(JSON.stringify({ data: [{ id: 'm' }] }));
    });
    await new Promise<void>((resolve) => gone.listen(0, '127.0.0.1', resolve));
    t.after(() => gone.close());
    const url = `http://127.0.0.1:${(gone.address() as AddressInfo).port}`;
    const load = [...smallRandom, '--num-prompts', '3', '--num-warmups', '1'];
    const { status, stderr } = await run('--url', url, ...load, '--clients', clients);
    assert.equal(status, 4, stderr);
    assert.match(stderr, /^spillway: The server has gone before the load: .*ECONNREFUSED/m);
  });
}
