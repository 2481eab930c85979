// Like errors have like exit statuses and one sentence, in every command.
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import type { AddressInfo } from 'node:net';
import { createServer } from 'node:net';
import { test } from 'node:test';
import { freePorts } from '../../src/io/processes/index.ts';

/** Runs a command that fails; gives back its status and what it says. */
function failing(line: string): Promise<{ readonly status: number; readonly text: string }> {
  return new Promise((resolve) => {
    const options = { timeout: 60_000 };
    execFile(
      process.execPath,
      ['bin/spillway.mjs', ...line.split(' ')],
      options,
      (error, out, text) => {
        assert.equal(out, '', line);
        resolve({ status: Number(error?.code ?? 0), text });
      },
    );
  });
}

async function expect(status: number, sentence: RegExp, lines: readonly string[]): Promise<void> {
  for (const line of lines) {
    const failed = await failing(line);
    assert.deepEqual([line, failed.status], [line, status], failed.text);
    assert.match(failed.text, sentence, line);
    const told = failed.text.replace(/\n\(see spillway [a-z -]*--help\)/, '').trimEnd();
    assert.equal(told.split('\n').length, 1, failed.text);
  }
}

const trace = 'bench/data/mooncake-conversation.jsonl.gz';

test('a port that is in use, and one that is none, are bad input', async (context) => {
  const server = createServer().listen(0, '127.0.0.1');
  await new Promise((resolve) => server.once('listening', resolve));
  context.after(() => server.close());
  const { port } = server.address() as AddressInfo;
  const programs = [
    ...['router --static-backends http://a', 'engine --model Qwen/Qwen3-8B', 'up'],
    ...['cache', 'cache --front --resp-port 0'],
  ];
  const withPort = (value: number) => programs.map((program) => `${program} --port ${value}`);
  await expect(2, /^spillway: Port \d+ on 127\.0\.0\.1 is in use; stop /, withPort(port));
  await expect(2, /a whole number from \d to 65535/, withPort(70_000));
});

test('a folder for temporary files that takes none is bad input', async (context) => {
  const before = process.env['TMPDIR'];
  process.env['TMPDIR'] = '/dev/null/none';
  context.after(() => {
    if (before === undefined) delete process.env['TMPDIR'];
    else process.env['TMPDIR'] = before;
  });
  await expect(
    2,
    /^spillway: Cannot write to \/dev\/null\/none, .* environment variable TMPDIR\.$/m,
    ['cache --front --port 0 --resp-port 0'],
  );
});

test('an engine that does not tell its version ends env with 4, after the rest', async () => {
  const [nobody] = await freePorts(1);
  const args = ['bin/spillway.mjs', 'env', '--url', `http://127.0.0.1:${nobody}`];
  const status = await new Promise((resolve) => {
    execFile(process.execPath, args, (error, out) => {
      assert.match(out, /^processor .*\n[\s\S]*^engine .* unknown: (ECONNREFUSED|fetch failed)$/m);
      resolve(error?.code);
    });
  });
  assert.equal(status, 4);
  await expect(2, /must be an http:\/\/ or https:\/\/ URL/, ['env --url x']);
});

test('a file that is not there is bad input', async () => {
  await expect(2, /^spillway: .*\/no\/such.*no such file or folder; check the path\.$/m, [
    'up -f /no/such',
    'deploy -f /no/such',
    'doctor -f /no/such',
    'images -f /no/such',
    'plan -f /no/such',
    'plan --trace /no/such',
    'config validate -f /no/such',
    'simulate --engines 2 --trace /no/such',
    'simulate hits --trace /no/such --capacity 5',
    'simulate points --points /no/such',
    'bench replay --url http://127.0.0.1:9 --trace /no/such',
    'router --engines-file /no/such',
  ]);
  await expect(2, /^spillway: Cannot write the .* to \/no\/such: there is no folder \/no\.$/m, [
    `simulate --engines 1 --requests 1 --trace ${trace} --per-request /no/such`,
  ]);
});

test('flags that contradict each other are bad input', async () => {
  const file = 'deploy -f docs/guide/clusters/embedded.yaml';
  await expect(2, /^spillway: --(smoke|bench)\b.* leave out --(dry-run|diff)\.$/m, [
    `${file} --dry-run --smoke`,
    `${file} --diff --bench`,
    `${file} --dry-run --smoke --target bare-metal --hosts h`,
  ]);
  await expect(
    2,
    /^spillway: --url names the router; leave out --(context|namespace|group|hosts)/m,
    [
      'smoke --url http://127.0.0.1:9 --context x',
      'smoke --url http://127.0.0.1:9 -n x',
      'smoke --url http://127.0.0.1:9 --group a',
      'smoke --url http://127.0.0.1:9 --hosts a --target bare-metal',
    ],
  );
});

test('a server that does not respond is named with the reason', async () => {
  const [nobody] = await freePorts(1);
  const url = `http://127.0.0.1:${nobody}`;
  const gone = new RegExp(`^spillway: .*${url}.*ECONNREFUSED`);
  // For all commands alike; to a gate, no response is as little data as none in it.
  await expect(4, gone, [
    `bench replay --trace ${trace} --requests 1 --url ${url}`,
    `calibrate --model Qwen3-8B --gpu H100 --metrics-url ${url}`,
    `up --engines 0 --engine ${url}`,
    `gate --prometheus ${url}`,
    `plan --from-prometheus ${url}`,
    `smoke --url ${url}`,
    `smoke --json --url ${url}`,
  ]);
  // `fetch` refuses some ports.
  await expect(4, /^spillway: .*http:\/\/127\.0\.0\.1:1\b.*\bbad port/, [
    'gate --prometheus http://127.0.0.1:1',
  ]);
});

test('an unknown flag of a subcommand names the help of that subcommand', async () => {
  const { text } = await failing('bench serve --nosuch');
  assert.match(text, /\n\(see spillway bench serve --help\)\n$/);
});

test('unknown flags, commands and policies are bad input', async () => {
  await expect(2, /^spillway: unknown (option|command) '.*nosuch'/, [
    ...['up', 'router', 'plan', 'gate --prometheus http://x', 'simulate'].map(
      (c) => `${c} --nosuch`,
    ),
    'nosuch',
  ]);
  await expect(2, /^spillway: required option '--image <image>' not specified/, [
    'operator manifests',
  ]);
  await expect(2, /^spillway: deploy needs the values of a stack: give a file with -f,/, [
    'deploy',
  ]);
  await expect(2, /unknown option '--num-prompts'; .* equals sign: --bench="--num-prompts"/, [
    'deploy -f x --bench --num-prompts',
  ]);
  await expect(2, /nope.*\bpredictive\b/, [
    'router --static-backends http://a --routing-logic nope',
    'up --policy nope',
    `simulate --engines 1 --trace ${trace} --policy nope`,
  ]);
});

test('what `cache` cannot use is bad input', async () => {
  const ports = 'cache --port 0 --resp-port 0';
  await expect(2, /^spillway: --peers needs a key by which the servers know each other: .*\.$/m, [
    `${ports} --peers 127.0.0.1:1,127.0.0.1:2`,
  ]);
  await expect(2, /^spillway: --peers-key-file needs --peers, the other servers\.$/m, [
    `${ports} --peers-key-file /dev/null`,
  ]);
  await expect(2, /^spillway: --copies and --peer-address need --peers, the other servers\.$/m, [
    `${ports} --copies 2`,
    `${ports} --peer-address 127.0.0.1:1`,
  ]);
  await expect(2, /^spillway: --disk \/proc\/none cannot be used: ENOENT: .*Name a folder/m, [
    `${ports} --disk /proc/none --disk-size 1GiB`,
  ]);
});
