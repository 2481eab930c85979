// `spillway simulate` as scripts call it: arguments, exit status, what is on standard output.
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { promisify } from 'node:util';

const runs = 'bench/data/vllm-runs';
const conversation = 'bench/data/mooncake-conversation.jsonl.gz';
const azure = 'bench/data/azure-code-2023.csv.gz';
const directory = mkdtempSync(join(tmpdir(), 'spillway-simulate-cli-'));
after(() => rmSync(directory, { recursive: true }));

function simulate(...args: string[]): Promise<{ code: number; out: string; errors: string }> {
  return new Promise((resolve) => {
    execFile(
      process.execPath,
      ['src/cli/main.ts', 'simulate', ...args],
      { maxBuffer: 64 << 20, timeout: 60_000 },
      (error, out, errors) => resolve({ code: Number(error?.code ?? 0), out, errors }),
    );
  });
}

const rowsOf = (out: string) =>
  out
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as Record<string, unknown>);

test('a recorded run: one object on standard output, one line a request in the file', async () => {
  const file = join(directory, 'requests.jsonl');
  const { code, out, errors } = await simulate(
    ...['--trace', `${runs}/rtxpro6000-qwen3-32b-tp2.jsonl.gz`],
    ...['--profile', `${runs}/profile/RTXPRO6000_Qwen3-32B_tp2`],
    ...['--engine-args', `${runs}/rtxpro6000-qwen3-32b-tp2.meta.json`],
    ...['--num-gpu-blocks-override', '20000', '--per-request', file, '--json'],
  );
  assert.equal(code, 0, errors);
  assert.match(errors, /^spillway: \S+: timestamps read as milliseconds, .*--trace-unit s\.\n$/);
  const [result] = rowsOf(out);
  assert.equal(result?.['completed'], 300);
  const { num_gpu_blocks } = (result?.['spillway'] ?? {}) as { num_gpu_blocks?: number };
  assert.equal(num_gpu_blocks, 20_000);
  assert.equal(rowsOf(readFileSync(file, 'utf8')).length, 300);
});

test('hits: one object for each capacity', async () => {
  const { code, out } = await simulate(
    ...['hits', '--trace', conversation, '--block-tokens', '512'],
    ...['--capacity', '500,1000,inf', '--json'],
  );
  assert.equal(code, 0);
  const rates = rowsOf(out).map(({ token_hit }) => (token_hit as number).toFixed(4));
  assert.deepEqual(rates, ['0.0430', '0.0454', '0.3736']);
});

test('points: one object for each row', async () => {
  const lines = readFileSync('bench/data/vllm-measured-points.csv', 'utf8').trim().split('\n');
  const some = lines.filter((_, i) => i % 8 === 0);
  const points = join(directory, 'points.csv');
  writeFileSync(points, some.join('\n'));
  const { code, out } = await simulate('points', '--points', points, '--json');
  assert.equal(code, 0);
  const rows = rowsOf(out);
  assert.equal(rows.length, some.length - 1);
  assert.ok(rows.every(({ error, saturated }) => error === undefined && saturated !== null));
});

test('a fleet: one object with a verdict', async () => {
  const { code, out } = await simulate(
    ...['--trace', conversation, '--engines', '8', '--gpu', 'H200', '--model', 'Qwen3-32B'],
    ...['--policy', 'prefixaware', '--speed', '0.5', '--requests', '300', '--json'],
  );
  assert.equal(code, 0);
  assert.deepEqual(
    rowsOf(out).map(({ verdict, completed }) => [verdict, completed]),
    [['STABLE', 300]],
  );
});

test('names of traces, engines and settings are text on the pages, whatever they are', async () => {
  const trace = join(directory, '<script>trace.csv');
  const rows = Array.from({ length: 20 }, (_, i) => `2023-11-16 18:15:${10 + i}.0,500,20`);
  writeFileSync(trace, `TIMESTAMP,ContextTokens,GeneratedTokens\n${rows.join('\n')}\n`);
  const gpu = '{name: "<script>gpu", memory_gib: 80, tflops: 900, memory_gb_per_second: 3000}';
  const values = join(directory, 'named.yaml');
  writeFileSync(
    values,
    JSON.stringify({
      servingEngineSpec: {
        modelSpec: [{ name: 'm', modelURL: 'Qwen/Qwen3-8B', gpu, replicaCount: 2 }],
      },
    }),
  );
  const page = join(directory, 'page.html');
  const key = 'servingEngineSpec.modelSpec[0].replicaCount';
  for (const args of [[], ['sweep', '--vary', `${key}=1,2`, '--jobs', '1']]) {
    const { code, errors } = await simulate(
      ...args,
      ...['-f', values, '--trace', trace, '--html', page],
    );
    assert.deepEqual([code, errors], [0, ''], errors);
    const html = readFileSync(page, 'utf8');
    assert.match(html, /&lt;script&gt;trace/);
    assert.doesNotMatch(html, /<script/);
  }
});

test('bad input is one sentence and exit status 2', async () => {
  const cases: readonly (readonly [string[], RegExp])[] = [
    [[], /--trace FILE and either --engine-args/],
    [['--trace', conversation], /--trace FILE and either/],
    [['--trace', conversation, '--engines', '2', '--profile', 'x'], /profile directory x: no such/],
    [['--trace', conversation, '--engines', '2', '--engine-args', 'x'], /give one of them/],
    [
      ['--trace', conversation, '--engines', '2', '--host-ms-per-step', '1'],
      /requires --engine-args/,
    ],
    [['--trace', 'none', '--engines', '2'], /Cannot read the trace none: no such file/],
    [['--trace', conversation, '--engines', '0'], /whole number of at least 1/],
    [['hits', '--capacity', '5'], /--trace <file>' not specified/],
    [['hits', '--trace', conversation, '--capacity', 'all'], /whole numbers of at least 1, or inf/],
    [['hits', '--trace', conversation, '--capacity', '5', '--policy', 'random'], /prefix-load/],
    [['hits', '--trace', conversation, '--capacity', '5', '--requests', '9'], /unknown option/],
    [['--trace', conversation, 'hits', '--capacity', '5'], /--trace is before "hits"/],
    [['hits', '--trace', azure, '--capacity', '5'], /no block ids/],
    [['sweep', '-f', 'v.yaml', '--trace', '-', '--vary', 'a=1'], /give it as a file, not "-"/],
    [['sweep', '-f', 'v.yaml', '--policy', 'random', '--vary', 'a=1'], /unknown option/],
    [['points', '--points', 'none'], /Cannot read the points none/],
  ];
  for (const [args, message] of cases) {
    const { code, out, errors } = await simulate(...args);
    assert.deepEqual([code, out], [2, ''], args.join(' '));
    assert.match(errors, message);
  }
});

test('a trace may come through a pipe, gzipped or not, to any command that takes one', async () => {
  const spillway = `${process.execPath} src/cli/main.ts simulate`;
  const shell = (command: string) =>
    promisify(execFile)('bash', ['-c', command], { timeout: 60_000 });
  const hits = await shell(
    `gunzip -c ${conversation} | head -500 | ${spillway} hits --trace - --capacity 100,inf --json`,
  );
  assert.deepEqual(
    rowsOf(hits.stdout).map(({ capacity }) => capacity),
    [100, 'inf'],
  );
  const fleet = await shell(
    `${spillway} --trace <(cat ${conversation}) --engines 2 --requests 50 --json`,
  );
  assert.equal(rowsOf(fleet.stdout)[0]?.['completed'], 50);
});

test('a parameter of the chosen policy changes what a fleet does; one of another policy is refused', async () => {
  const play = (...args: string[]) =>
    simulate('--trace', conversation, '--engines', '4', '--requests', '400', '--json', ...args);
  const [plain, strict, misplaced, stack] = await Promise.all([
    play('--policy', 'prefixaware'),
    play('--policy', 'prefixaware', '--prefix-min-match-length', '1000000'),
    play('--prefix-min-match-length', '1000000'),
    simulate('--preset', 'laptop', '--trace', conversation, '--kv-aware-threshold', '1'),
  ]);
  assert.deepEqual([plain.code, strict.code], [0, 0]);
  const hitRate = ({ out }: { out: string }) => Number(rowsOf(out)[0]?.['hit_rate']);
  assert.ok(hitRate(strict) < hitRate(plain), `${hitRate(strict)} of ${hitRate(plain)}`);
  assert.deepEqual([misplaced.code, stack.code], [2, 2]);
  assert.match(
    misplaced.errors,
    /--prefix-min-match-length has no effect: it is a parameter of prefixaware, and --policy is predictive\./,
  );
  assert.match(
    stack.errors,
    /--kv-aware-threshold cannot be used with -f; set it in the values file/,
  );
});

test('hits with a tier below: a row for each pair of sizes, and what the tier gave', async () => {
  const { code, out } = await simulate(
    ...['hits', '--trace', conversation, '--capacity', '1000', '--engines', '8', '--json'],
    ...['--cpu-capacity', '0,1000,4000', '--pooled'],
  );
  assert.equal(code, 0);
  const rates = rowsOf(out).map(({ cpu_capacity, token_hit, cpu_token_hit }) =>
    [cpu_capacity, token_hit, cpu_token_hit].map((value) => Number(value).toFixed(4)),
  );
  assert.deepEqual(rates, [
    ['0.0000', '0.0625', '0.0000'],
    ['1000.0000', '0.1820', '0.1196'],
    ['4000.0000', '0.3385', '0.2761'],
  ]);
  const refused = await simulate(
    ...['hits', '--trace', conversation, '--capacity', '1000', '--pooled'],
  );
  assert.equal(refused.code, 2);
  assert.match(refused.errors, /--pooled requires --cpu-capacity/);
});

test('a fleet with host memory finds there what its GPUs have lost', async () => {
  const fleet = (...args: string[]) =>
    simulate(
      ...['--trace', conversation, '--engines', '2', '--requests', '600', '--speed', '0.5'],
      ...['--policy', 'roundrobin', '--json', ...args],
    );
  const [plain, tiered] = await Promise.all([fleet(), fleet('--kv-offloading-size', '200')]);
  assert.deepEqual([plain.code, tiered.code, tiered.errors], [0, 0, '']);
  const [without, withHost] = [rowsOf(plain.out)[0], rowsOf(tiered.out)[0]];
  assert.ok(Number(withHost?.['hit_rate']) > 1.3 * Number(without?.['hit_rate']));
  const { engines = [] } = (withHost?.['spillway'] ?? {}) as { engines?: Record<string, number>[] };
  assert.equal(engines.length, 2);
  for (const engine of engines) {
    assert.ok((engine['external_tokens'] ?? 0) > 0);
    assert.ok((engine['kv_load_bytes'] ?? 0) > 0 && (engine['kv_store_bytes'] ?? 0) > 0);
  }
  const lone = await simulate('--trace', conversation, '--engines', '2', '--kv-offload', 'native');
  assert.equal(lone.code, 2);
  assert.match(lone.errors, /--kv-offload needs --kv-offloading-size/);
});
