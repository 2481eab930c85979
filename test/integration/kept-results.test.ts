// Results that took long to measure are kept: when nobody reads the output, when a disk is full, and when a signal comes.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import {
  existsSync,
  mkdtempSync,
  openSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { after, type TestContext, test } from 'node:test';
import { type ScriptedOpenai, scriptedOpenai } from '../support/scripted-openai.ts';
import { ctrlC, inTerminal, noTerminal } from '../support/terminal.ts';
import { until } from '../support/until.ts';

const directory = mkdtempSync(join(tmpdir(), 'spillway-kept-results-'));
const started: ReturnType<typeof spawn>[] = [];
after(() => {
  for (const child of started) child.kill('SIGKILL');
  rmSync(directory, { recursive: true });
});
let names = 0;
const fresh = (end = '') => join(directory, `${names++}${end}`);

const noFullDevice = existsSync('/dev/full') ? false : 'there is no /dev/full here';
const load = ['--random-input-len', '20', '--random-output-len', '2', '--num-warmups', '0'];

interface Started {
  readonly child: ReturnType<typeof spawn>;
  readonly texts: { stdout: string; stderr: string };
  readonly ended: Promise<{ readonly status: number | null; readonly stderr: string }>;
}

/** @param stdout A file; `closed` is a pipe that nobody reads. @default a pipe that is read */
function start(args: readonly string[], stdout?: string): Started {
  const output = stdout === undefined || stdout === 'closed' ? 'pipe' : openSync(stdout, 'w');
  const child = spawn(process.execPath, ['bin/spillway.mjs', ...args], {
    stdio: ['ignore', output, 'pipe'],
  });
  started.push(child);
  const texts = { stdout: '', stderr: '' };
  if (stdout === 'closed') child.stdout?.destroy();
  for (const name of ['stdout', 'stderr'] as const) {
    child[name]?.setEncoding('utf8').on('data', (part: string) => {
      texts[name] += part;
    });
  }
  const ended = once(child, 'close').then(([status]) => ({
    status: status as number | null,
    stderr: texts.stderr,
  }));
  return { child, texts, ended };
}

async function scripted(t: TestContext, gapMs = 1): Promise<ScriptedOpenai> {
  const server = await scriptedOpenai({ gapMs });
  t.after(() => server.close());
  return server;
}

/** The commands that send load and write both a file and a folder of a run. */
function recordedLoads({ url }: ScriptedOpenai): readonly (readonly string[])[] {
  const trace = fresh('.jsonl');
  const request = { timestamp: 0, input_length: 20, output_length: 2, hash_ids: [0] };
  writeFileSync(trace, `${JSON.stringify(request)}\n`);
  return [
    ['bench', 'serve', '--url', url, ...load, '--num-prompts', '4'],
    ['bench', 'sweep', '--url', url, ...load, '--concurrencies', '2', '--num-prompts', '4'],
    ['bench', 'soak', '--url', url, ...load, '--users', '1', '--duration', '1s'],
    ['bench', 'replay', '--url', url, '--trace', trace, '--warmup', '0'],
  ];
}

/** Asserts that a run folder is the only one in `runs`, and whole. */
function assertWholeRun(runs: string, message: string): void {
  const folders = readdirSync(runs);
  assert.equal(folders.length, 1, message);
  const header = JSON.parse(readFileSync(join(runs, folders[0] ?? '', 'run.json'), 'utf8'));
  assert.equal(typeof header.status, 'number', message);
  assert.ok(existsSync(join(runs, folders[0] ?? '', 'result.json')), message);
}

test('a reader that has gone loses neither the file nor the folder of a run', async (t) => {
  const server = await scripted(t);
  const tries = recordedLoads(server).map(async (args) => {
    const [file, runs] = [fresh('.json'), fresh()];
    const { status, stderr } = await start([...args, '--json', file, '--run-dir', runs], 'closed')
      .ended;
    // The verdict on a soak of a second is chance.
    if (!args.includes('soak')) assert.equal(status, 0, `${args.join(' ')}: ${stderr}`);
    assert.ok(JSON.parse(readFileSync(file, 'utf8')), args.join(' '));
    assertWholeRun(runs, args.join(' '));
  });
  await Promise.all(tries);
});

test('standard output on a full disk loses no file either, and is reported with status 1', {
  skip: noFullDevice,
}, async (t) => {
  const server = await scripted(t);
  const tries = recordedLoads(server).map(async (args) => {
    const [file, runs] = [fresh('.json'), fresh()];
    const { status, stderr } = await start(
      [...args, '--json', file, '--run-dir', runs],
      '/dev/full',
    ).ended;
    assert.equal(status, 1, `${args.join(' ')}: ${stderr}`);
    assert.match(stderr, /^spillway: Cannot write to standard output: .*no space left.*\.$/im);
    assert.equal(stderr.match(/Cannot write/g)?.length, 1, stderr);
    assert.ok(JSON.parse(readFileSync(file, 'utf8')), args.join(' '));
    assertWholeRun(runs, args.join(' '));
  });
  await Promise.all(tries);
});

test('a result that does not fit on its disk leaves the folder of the run whole', {
  skip: noFullDevice,
}, async (t) => {
  const server = await scripted(t);
  const tries = recordedLoads(server).map(async (args) => {
    const runs = fresh();
    const run = start([...args, '--json', '/dev/full', '--run-dir', runs]);
    const { status, stderr } = await run.ended;
    assert.equal(status, 2, `${args.join(' ')}: ${stderr}`);
    assert.match(stderr, /^spillway: Cannot write the result to \/dev\/full: the disk is full\.$/m);
    assert.notEqual(run.texts.stdout, '');
    assertWholeRun(runs, args.join(' '));
  });
  await Promise.all(tries);
});

test('files of commands that send no load are written though nobody reads the output', async (t) => {
  const server = await scripted(t);
  const values = fresh('.yaml');
  writeFileSync(
    values,
    'servingEngineSpec: { modelSpec: [{ name: q, modelURL: Qwen/Qwen3-8B, gpu: H100-80GB }] }\n',
  );
  const trace = fresh('.jsonl');
  const request = { timestamp: 0, input_length: 20, output_length: 2, hash_ids: [0] };
  writeFileSync(trace, `${JSON.stringify(request)}\n`.repeat(3));
  const prometheus = createServer(async (incoming, response) => {
    const query = new URLSearchParams(await text(incoming)).get('query') ?? '';
    const data = query.startsWith('time')
      ? { resultType: 'scalar', result: [1e9, '1000000000'] }
      : { resultType: query.startsWith('resets') ? 'vector' : 'matrix', result: [] };
    response.end(JSON.stringify({ status: 'success', data }));
  }).listen(0, '127.0.0.1');
  await once(prometheus, 'listening');
  t.after(() => prometheus.close());
  const { port } = prometheus.address() as AddressInfo;
  const steps = fresh('.csv');
  writeFileSync(
    steps,
    [
      'prefill_tokens,prefill_context,decodes,decode_context,time_us',
      ...Array.from({ length: 40 }, (_, i) => `0,0,${1 + i},${(i % 9) * 50},${5000 + 10 * i}`),
    ].join('\n'),
  );
  const commands: readonly (readonly [readonly string[], string, number])[] = [
    [['simulate', '-f', values, '--trace', trace], '--html', 0],
    [['simulate', '--engines', '1', '--trace', trace], '--per-request', 0],
    [
      [
        'simulate',
        'sweep',
        '-f',
        values,
        '--trace',
        trace,
        '--vary',
        'routerSpec.routingLogic=roundrobin',
      ],
      '--html',
      0,
    ],
    [['plan', '-f', 'docs/guide/plan/cases/09-multi-tenant-rag.yaml'], '--values', 0],
    [['claims', '--seeds', '1'], '--json', 0],
    [['claims', '--with', server.url, '--without', server.url, '--requests', '2'], '--json', 0],
    [['compare', server.url, server.url, ...load, '--num-prompts', '8'], '--json', 3],
    [['gate', '--prometheus', `http://127.0.0.1:${port}`, '--window', '1h'], '--svg', 4],
    [
      ['calibrate', '--model', 'Qwen3-8B', '--gpu', 'H100-80GB', '--steps', steps, '--force'],
      '--out',
      0,
    ],
  ];
  const tries = commands.map(async ([args, flag, expected]) => {
    const file = fresh(flag === '--out' || flag === '--json' ? '.json' : '.txt');
    const { status, stderr } = await start([...args, flag, file], 'closed').ended;
    assert.equal(status, expected, `${args.join(' ')}: ${stderr}`);
    assert.ok(existsSync(file), `${args.join(' ')}: ${stderr}`);
  });
  await Promise.all(tries);
});

test('a reader of the messages that has gone does not end a measurement', async (t) => {
  const server = await scripted(t, 50);
  const file = fresh('.json');
  const args = ['bench', 'sweep', '--url', server.url, ...load, '--concurrencies', '1,2,3'];
  const run = start([...args, '--num-prompts', '6', '--json', file]);
  await until(() => run.texts.stderr.includes('1 user: '));
  run.child.stderr?.destroy();
  const { status } = await run.ended;
  assert.equal(status, 0);
  assert.equal(JSON.parse(readFileSync(file, 'utf8')).points.length, 3);
});

test('Ctrl-C during the simulated claims keeps the runs that are complete', {
  skip: noTerminal,
}, async () => {
  const file = fresh('.json');
  let isTyped = false;
  const command = `exec ${process.execPath} bin/spillway.mjs claims --seeds 30 --json ${file}`;
  const { screen, status } = await inTerminal(command, {
    onOutput: (shown, type) => {
      if (isTyped || !/run 5 of 120/.test(shown)) return;
      isTyped = true;
      type(ctrlC);
    },
  });
  assert.equal(status, 130, screen);
  assert.match(screen, /Interrupted: \d+ of 120 runs are complete\./);
  const { interrupted, runs, claims } = JSON.parse(readFileSync(file, 'utf8'));
  assert.equal(interrupted, true);
  assert.ok(runs.length >= 4 && runs.length < 120, String(runs.length));
  assert.ok(claims.length > 0);
});

test('claims that are stopped before a run is complete leave the earlier result as it was', async (t) => {
  const server = await scripted(t, Number.POSITIVE_INFINITY);
  const file = fresh('.json');
  writeFileSync(file, 'precious');
  const run = start([
    ...['claims', '--with', server.url, '--without', server.url, '--requests', '2'],
    ...['--json', file],
  ]);
  await until(() => server.requests.length > 0);
  run.child.kill('SIGINT');
  const { status, stderr } = await run.ended;
  assert.equal(status, 130);
  assert.equal(stderr, 'spillway: interrupted; nothing was measured.\n');
  assert.equal(readFileSync(file, 'utf8'), 'precious');
});

for (const [signal, expected] of [
  ['SIGINT', 130],
  ['SIGTERM', 143],
] as const) {
  test(`${signal} leaves what was measured, marked, with status ${expected}`, async (t) => {
    const server = await scripted(t);
    const slow = ['--request-rate', '50', '--num-prompts', '5000'];
    const loads: readonly (readonly string[])[] = [
      ['bench', 'serve', '--url', server.url, ...load, ...slow],
      ['bench', 'soak', '--url', server.url, ...load, '--users', '1', '--duration', '300s'],
      ['compare', server.url, server.url, ...load, ...slow, '--blocks', '400'],
    ];
    for (const args of loads) {
      const file = fresh('.json');
      const before = server.requests.length;
      const run = start([...args, '--json', file]);
      await until(() => server.requests.length > before + 40);
      run.child.kill(signal);
      const { status, stderr } = await run.ended;
      assert.equal(status, expected, `${args.join(' ')}: ${stderr}`);
      const result = JSON.parse(readFileSync(file, 'utf8'));
      assert.equal(result.interrupted ?? result.spillway.interrupted, true, args.join(' '));
    }
  });
}

test('a sweep of simulations that is stopped keeps the combinations that are complete', {
  skip: noTerminal,
}, async () => {
  const values = fresh('.yaml');
  const workload = fresh('.yaml');
  writeFileSync(
    values,
    'servingEngineSpec: { modelSpec: [{ name: q, modelURL: Qwen/Qwen3-8B, gpu: H100-80GB }] }\n',
  );
  writeFileSync(
    workload,
    'kind: single\nprompt: 200\nanswer: 5\nrequests: 20\narrivals: { process: poisson, rate: 9 }\n',
  );
  const page = fresh('.html');
  const result = fresh('.json');
  let isTyped = false;
  // The second combination takes minutes.
  const { screen, status } = await inTerminal(
    `exec ${process.execPath} bin/spillway.mjs simulate sweep -f ${values} --workload ${workload} --jobs 2 --json --vary workload.requests=20,4000000 --html ${page} > ${result}`,
    {
      onOutput: (shown, type) => {
        if (isTyped || !/1 of 2 simulations/.test(shown)) return;
        isTyped = true;
        type(ctrlC);
      },
    },
  );
  assert.equal(status, 130, screen);
  const { interrupted, rows } = JSON.parse(readFileSync(result, 'utf8'));
  assert.equal(interrupted, true);
  assert.deepEqual(
    rows.map(({ settings }: { settings: object }) => settings),
    [{ 'workload.requests': '20' }],
  );
  assert.match(readFileSync(page, 'utf8'), /Interrupted: 1 of 2 combinations is complete/);
});

test('Ctrl-C while the result is written does not keep it from being written', async (t) => {
  let asked = 0;
  const pass = async (incoming: IncomingMessage, response: ServerResponse) => {
    const { method = 'GET', url = '/' } = incoming;
    const body = method === 'GET' ? null : await text(incoming);
    const got = await fetch(new URL(url, engine.url), { method, body });
    response.writeHead(got.status, { 'content-type': got.headers.get('content-type') ?? '' });
    response.end(await got.text());
  };
  // The version of the server belongs to the result; this server never tells it.
  const engine = await scripted(t);
  const server = createServer((incoming, response) => {
    if (incoming.url === '/version') asked++;
    else void pass(incoming, response);
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.after(() => {
    server.closeAllConnections();
    server.close();
  });
  const { port } = server.address() as AddressInfo;
  const [file, runs] = [fresh('.json'), fresh()];
  const url = `http://127.0.0.1:${port}/v1`;
  const { child, ended } = start([
    ...['bench', 'serve', '--url', url, ...load, '--num-prompts', '3', '--json', file],
    ...['--run-dir', runs],
  ]);
  await until(() => asked > 0);
  child.kill('SIGINT');
  const { status, stderr } = await ended;
  assert.equal(status, 130, stderr);
  assert.equal(JSON.parse(readFileSync(file, 'utf8')).completed, 3);
  assertWholeRun(runs, stderr);
});
