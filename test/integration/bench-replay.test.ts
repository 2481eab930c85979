// `spillway bench replay` as a user runs it, against a scripted server.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, type TestContext, test } from 'node:test';
import { scriptedOpenai } from '../support/scripted-openai.ts';
import { until } from '../support/until.ts';

const directory = mkdtempSync(join(tmpdir(), 'spillway-replay-'));
after(() => rmSync(directory, { recursive: true }));

/** Arrivals in ms and prompt tokens; each asks for three tokens. */
function traceOf(name: string, rows: readonly (readonly [number, number])[]): string {
  const path = join(directory, name);
  const lines = rows.map(([timestamp, input_length]) =>
    JSON.stringify({
      timestamp,
      input_length,
      output_length: 3,
      hash_ids: Array.from({ length: Math.ceil(input_length / 512) }, (_, i) => i),
    }),
  );
  writeFileSync(path, lines.join('\n'));
  return path;
}

const trace = traceOf('trace.jsonl', [
  [0, 1000],
  [0, 1000],
  [400, 520],
]);

function run(...args: readonly string[]) {
  return runWith({}, ...args);
}

function runWith(env: NodeJS.ProcessEnv, ...args: readonly string[]) {
  const { OPENAI_API_KEY: _, ...inherited } = process.env;
  const child = spawn(process.execPath, ['bin/spillway.mjs', 'bench', 'replay', ...args], {
    env: { ...inherited, ...env },
  });
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

async function server(t: TestContext, gapMs = 1) {
  const scripted = await scriptedOpenai({ gapMs });
  t.after(() => scripted.close());
  return scripted;
}

test('a replay sends the requests of the trace, and prints and writes the result', async (t) => {
  const { url, requests } = await server(t);
  const file = join(directory, 'result.json');
  const { status, stdout, stderr } = await run(
    ...['--trace', trace, '--url', url, '--speed', '4', '--json', file],
    ...['--slo-ttft-ms', '60000', '--warmup', '0', '--percentiles', '50,99'],
  ).ended;
  assert.equal(status, 0, stderr);
  assert.match(stderr, /Replaying 3 requests over 0\.1 s against scripted/);
  assert.match(stdout, /3 of 3 requests completed, 0 failed/);
  assert.match(stdout, /^TTFT +[\d.]+ +[\d.]+ +n<100$/m);
  assert.match(stdout, /750 of 3,000 prompt tokens were cached \(25\.00 %\)/);
  assert.match(stdout, /^The responses come from emulated engines: times are modelled/m);
  assert.match(stdout, /^ +scripted-1 \(http:\/\/engine-1\): 3 requests, 3,000 tokens$/m);
  assert.match(stdout, /goodput .* 3 of 3 responses with TTFT <= 60000 ms/);
  assert.deepEqual(
    requests.map(({ path, max_tokens, min_tokens, ignore_eos }) => [
      path,
      max_tokens,
      min_tokens,
      ignore_eos,
    ]),
    Array.from({ length: 3 }, () => ['/v1/chat/completions', 3, 3, true]),
  );
  const [a = '', b = '', c = ''] = requests.map(({ messages }) => messages?.[0]?.content);
  assert.equal(a, b, 'equal block ids give equal text');
  assert.ok(a.startsWith(c), 'a common prefix of ids is a common prefix of text');
  const json = JSON.parse(readFileSync(file, 'utf8'));
  assert.equal(json.completed, 3);
  assert.ok(json.environment.cpu.count > 0);
  assert.equal(json.total_output_tokens, 9);
  assert.deepEqual(
    json.itls.map((gaps: readonly number[]) => gaps.length),
    [2, 2, 2],
  );
  assert.ok(json.start_times[2] >= 0.1, 'the third request came 400 ms / 4 after the first');
  assert.equal(json.spillway.cached_tokens, 750);
  assert.equal(json.spillway.prompt_mismatches, 1);
  assert.equal(json.p99_ttft_ms, null);
});

test('under a time scale results are in GPU time, and say so', async (t) => {
  const { url } = await server(t);
  const { stdout } = await run(
    ...['--trace', trace, '--url', url, '--time-scale', '10', '--json', '--api', 'tokens'],
  ).ended;
  const json = JSON.parse(stdout);
  assert.equal(json.spillway.time_scale, 10);
  // 400 ms of trace take 40 ms of wall time, which are 400 ms of GPU time again.
  assert.ok(json.start_times[2] >= 0.4 && json.duration >= 0.4);
  assert.ok(Math.abs(json.spillway.offered_rate - 2 / 0.4) < 1e-9);
});

test('Ctrl-C ends the run, prints what was measured, and leaves no request behind', async (t) => {
  const { url, requests, open } = await server(t, Number.POSITIVE_INFINITY);
  const { child, ended } = run('--trace', trace, '--url', url, '--speed', '0.001', '--warmup', '0');
  await until(() => requests.length === 2);
  child.kill('SIGINT');
  const { status, stdout } = await ended;
  assert.equal(status, 130);
  assert.match(
    stdout,
    /^Interrupted: 0 of 3 requests completed, 0 failed, 2 cut off in flight, 1 not/,
  );
  assert.match(stdout, /; at most 2 at once$/m);
  await until(() => open() === 0);
});

test('stops after some refused connections in a row, and prints what was measured', async (t) => {
  const { url, requests, close } = await server(t);
  // 200 requests in 20 s, of which the server sees the first few.
  const long = traceOf(
    'long.jsonl',
    Array.from({ length: 200 }, (_, i) => [i * 100, 100] as const),
  );
  const file = join(directory, 'gone.json');
  const flags = ['--trace', long, '--url', url, '--warmup', '0', '--max-refused', '5'];
  const { ended } = run(...flags, '--json', file);
  await until(() => requests.length === 4);
  await close();
  const { status, stdout } = await ended;
  assert.equal(status, 1, stdout);
  assert.match(
    stdout,
    /^Stopped after 5 refused connections in a row: [3-9] of 200 requests completed, \d+ failed, 1\d\d not sent/,
  );
  assert.match(stdout, /^errors +5 refused, e\.g\. .*ECONNREFUSED/m);
  const { completed, spillway } = JSON.parse(readFileSync(file, 'utf8'));
  assert.ok(completed >= 3);
  assert.deepEqual([spillway.interrupted, spillway.stopped_by], [true, 'refused connections']);
});

test('accepts a key, or the name of a variable, and does not confuse them', async (t) => {
  const { url, requests } = await server(t);
  const flags = [
    '--trace',
    trace,
    '--url',
    url,
    '--speed',
    '9',
    '--warmup',
    '0',
    '--requests',
    '1',
  ];
  const env = { OPENAI_API_KEY: 'standard', OTHER_KEY: 'other' };
  for (const [given, key] of [
    [[], 'standard'],
    [['--api-key', 'sk-1'], 'sk-1'],
    [['--api-key-env', 'OTHER_KEY'], 'other'],
  ] as const) {
    const { status, stderr } = await runWith(env, ...flags, ...given).ended;
    assert.equal(status, 0, stderr);
    assert.equal(requests.at(-1)?.authorization, `Bearer ${key}`);
  }
  const sent = requests.length;
  for (const [given, sentence] of [
    [
      ['--api-key', 'OTHER_KEY'],
      '--api-key takes the key itself; for the variable OTHER_KEY, use --api-key-env OTHER_KEY.',
    ],
    [['--api-key-env', 'NO_KEY'], '--api-key-env NO_KEY: the environment has no such variable.'],
    [
      ['--api-key', 'a', '--api-key-env', 'OTHER_KEY'],
      '--api-key and --api-key-env exclude each other: give one of them.',
    ],
  ] as const) {
    const { status, stderr } = await runWith(env, ...flags, ...given).ended;
    assert.deepEqual([status, stderr], [2, `spillway: ${sentence}\n`]);
  }
  assert.equal(requests.length, sent);
});

test('bad input is one sentence and status 2, and 4 for a server that cannot be reached', async (t) => {
  const { url } = await server(t);
  const bad = join(directory, 'bad.jsonl');
  writeFileSync(bad, '{"timestamp":0}\n');
  const cases: readonly (readonly [readonly string[], RegExp])[] = [
    [['--trace', trace, '--url', 'http://127.0.0.1:1/v1'], /Cannot reach .*ECONNREFUSED/],
    [
      ['--trace', trace, '--url', url, '--model', 'x'],
      /does not serve the model "x"; it serves scripted/,
    ],
    [
      ['--trace', bad, '--url', url],
      /bad\.jsonl:1: unknown trace format: found the fields timestamp; expected JSON lines/,
    ],
    [['--trace', 'none', '--url', url], /Cannot read the trace none/],
    // Told before the server is asked.
    [['--trace', 'none', '--url', 'http://127.0.0.1:1/v1'], /Cannot read the trace none/],
    [['--trace', trace, '--url', url, '--json', '/none/x'], /Cannot write the result/],
    [['--trace', trace, '--url', url, '--tokenizer', 'none'], /No tokenizer "none"/],
    [
      ['--trace', trace, '--url', url, '--speed', '0'],
      /It must be a number above 0\.\n\(see spillway bench replay --help\)$/,
    ],
  ];
  const results = await Promise.all(cases.map(([args]) => run(...args).ended));
  results.forEach(({ status, stderr, stdout }, index) => {
    assert.equal(status, /^spillway: Cannot reach/.test(stderr) ? 4 : 2, stderr);
    assert.match(stderr.trim(), cases[index]?.[1] ?? /./);
    const sentence = stderr.trim().replace(/\n\(see .*\)$/, '');
    assert.equal(sentence.split('\n').length, 1, stderr);
    assert.equal(stdout, '');
  });
});
