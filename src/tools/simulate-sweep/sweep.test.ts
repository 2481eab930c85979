// Sweeps: axes, intervals, the Pareto front and break-even, and one whole sweep by the program itself.
import assert from 'node:assert/strict';
import { execFile, execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { promisify } from 'node:util';
import fc from 'fast-check';
import { InputError } from '../../core/base/index.ts';
import { estimate } from '../../core/stats/index.ts';
import { breakEvens, parseAxis, type SweepRow } from './index.ts';
import { sweepMetrics } from './sweep.ts';
import { combinations } from './sweep-axis.ts';
import { breakEvenLines, paretoFront } from './sweep-report.ts';

test('an axis is a list or a range, both ends included', () => {
  assert.deepEqual(parseAxis('a.b=2,4,x').values, ['2', '4', 'x']);
  assert.deepEqual(parseAxis('u=0.5:0.9:0.1').values, ['0.5', '0.6', '0.7', '0.8', '0.9']);
  assert.deepEqual(parseAxis('n=1:8:3').values, ['1', '4', '7']);
  assert.deepEqual(combinations([parseAxis('a=1,2'), parseAxis('b=x,y')]), [
    ['1', 'x'],
    ['1', 'y'],
    ['2', 'x'],
    ['2', 'y'],
  ]);
  for (const bad of ['a', 'a=', '=1', 'a=3:1:1', 'a=1:2:0']) {
    assert.throws(() => parseAxis(bad), InputError, bad);
  }
});

test('the interval is Student’s, and one run has no interval', () => {
  // Of 1, 2, 3: mean 2, standard error 1/√3, t(2) = 4.303.
  const { mean, low, high } = estimate([1, 2, 3]);
  assert.ok(Math.abs(high - 2 - 4.303 / Math.sqrt(3)) < 1e-9 && Math.abs(low + high - 4) < 1e-9);
  assert.equal(mean, 2);
  assert.deepEqual(estimate([7]), { mean: 7, low: 7, high: 7, count: 1 });
});

/** A row with these figures; all others are 1. */
function row(
  setting: string,
  variant: string,
  figures: Partial<Record<(typeof sweepMetrics)[number], readonly number[]>>,
): SweepRow {
  const entries = sweepMetrics.map((metric) => [metric, figures[metric] ?? [1, 1]] as const);
  return {
    settings: [setting],
    ...{ variant, overloaded: 0 },
    values: Object.fromEntries(entries) as unknown as SweepRow['values'],
    estimates: Object.fromEntries(
      entries.map(([metric, values]) => [metric, estimate(values)]),
    ) as unknown as SweepRow['estimates'],
  };
}

test('no row on the Pareto front is beaten, and every other row is', () => {
  const figures = fc.record({ throughput: fc.nat(20), ttft: fc.nat(20) });
  fc.assert(
    fc.property(fc.array(figures, { minLength: 1 }), (all) => {
      const rows = all.map(({ throughput, ttft }, i) =>
        row(String(i), '', { output_throughput: [throughput], mean_ttft_ms: [ttft] }),
      );
      const beats = (a: SweepRow, b: SweepRow) =>
        a.estimates.output_throughput.mean >= b.estimates.output_throughput.mean &&
        a.estimates.mean_ttft_ms.mean <= b.estimates.mean_ttft_ms.mean &&
        (a.estimates.output_throughput.mean > b.estimates.output_throughput.mean ||
          a.estimates.mean_ttft_ms.mean < b.estimates.mean_ttft_ms.mean);
      const front = new Set(paretoFront(rows));
      for (const one of rows) assert.equal(front.has(one), !rows.some((r) => beats(r, one)));
    }),
  );
});

/** Gains of native offload by seed for a working set of this size. */
const at = (setting: string, ratio: number, gains: readonly number[]) => [
  row(setting, 'none', {
    working_set_ratio: [ratio, ratio],
    mean_kv_usage: [ratio / 2, ratio / 2],
  }),
  row(setting, 'native', { total_token_throughput: gains.map((gain) => 1 + gain) }),
];

test('break-even is where the gain exceeds one percent for good, for each seed', () => {
  const rows = [
    ...at('1', 0.5, [0.03, -0.01]),
    ...at('2', 1, [-0.01, -0.01]),
    ...at('3', 1.5, [0.03, 0.01 + 1e-9]),
    ...at('4', 2, [0.2, 0.2]),
  ];
  const [native] = breakEvens(rows);
  // The first seed is half way from −1 to +3 %, so at 1.25; the second is at 1.5.
  assert.ok(Math.abs((native?.ratio?.mean ?? 0) - (1.25 + 1.5) / 2) < 1e-3);
  assert.ok(Math.abs((native?.kvUsage?.mean ?? 0) - (1.25 + 1.5) / 4) < 1e-3);
  assert.equal(breakEvens(rows.slice(0, 4))[0]?.ratio, undefined);
});

test('the interval of a break-even is limited to the axis', () => {
  // Two seeds that disagree: Student's interval would reach from −4 to 6.
  const rows = [
    ...at('1', 0.5, [-0.01, -0.01]),
    ...at('2', 1, [0.2, 0]),
    ...at('3', 1.5, [0.2, 0.2]),
  ];
  const [native] = breakEvens(rows);
  assert.ok((native?.ratio?.mean ?? 0) > 0.5);
  assert.deepEqual([native?.ratio?.low, native?.ratio?.high], [0.5, 1.5]);
  assert.deepEqual([native?.kvUsage?.low, native?.kvUsage?.high], [0.25, 0.75]);
});

test('a sweep without break-even reports whether offload pays everywhere, nowhere, or by chance', () => {
  const said = (first: readonly number[], second: readonly number[]) => {
    const rows = [...at('1', 0.5, first), ...at('2', 1, second)];
    return breakEvenLines({
      axes: [],
      rows,
      planned: 2,
      seeds: 2,
      breakEvens: breakEvens(rows),
    })[0];
  };
  assert.match(said([0.1, 0.1], [0.2, 0.2]) ?? '', /pays at every simulated setting/);
  assert.match(said([0.1, 0], [0, 0]) ?? '', /does not pay at the last simulated setting/);
  assert.match(said([0.1, 0], [0.2, 0.2]) ?? '', /of 2, 1 gain at every simulated setting, 0 gain/);
});

const directory = mkdtempSync(join(tmpdir(), 'spillway-sweep-'));
after(() => rmSync(directory, { recursive: true }));

test('the program sweeps replicas and reports each; an invalid key is one sentence', async () => {
  const workload = join(directory, 'w.yaml');
  writeFileSync(
    workload,
    'kind: single\nprompt: 2000\nanswer: 20\nrequests: 30\narrivals: { process: poisson, rate: 9 }\n',
  );
  const values = join(directory, 'v.yaml');
  writeFileSync(
    values,
    'servingEngineSpec: { modelSpec: [{ name: q, modelURL: Qwen/Qwen3-8B, gpu: H100-80GB }] }\n',
  );
  const spillway = (...flags: readonly string[]) =>
    promisify(execFile)(process.execPath, [
      ...['src/cli/main.ts', 'simulate', 'sweep', '-f', values, '--workload', workload, ...flags],
    ]);
  const key = 'servingEngineSpec.modelSpec[0].replicaCount';
  const { stdout } = await spillway('--vary', `${key}=1,2`, '--json');
  const { rows } = JSON.parse(stdout) as {
    rows: {
      settings: Record<string, string>;
      gpus: { mean: number };
      mean_ttft_ms: { mean: number };
    }[];
  };
  assert.deepEqual(
    rows.map(({ settings, gpus }) => [settings[key], gpus.mean]),
    [
      ['1', 1],
      ['2', 2],
    ],
  );
  assert.ok((rows[1]?.mean_ttft_ms.mean ?? 0) < (rows[0]?.mean_ttft_ms.mean ?? 0));
  await assert.rejects(
    spillway('--vary', 'workload.prompts=1,2'),
    (error: { stderr?: string; code?: number }) => {
      assert.match(error.stderr ?? '', /prompts is not a known key; did you mean prompt\?/);
      assert.equal(error.code, 2);
      return true;
    },
  );
});

test('a signal ends a sweep with its simulations, and sets the exit status', async () => {
  const workload = join(directory, 'long.yaml');
  writeFileSync(
    workload,
    'kind: single\nprompt: 20000\nanswer: 500\nrequests: 20000\narrivals: { process: poisson, rate: 9 }\n',
  );
  const values = join(directory, 'stopped.yaml');
  writeFileSync(
    values,
    'servingEngineSpec: { modelSpec: [{ name: q, modelURL: Qwen/Qwen3-8B, gpu: H100-80GB }] }\n',
  );
  const sweep = spawn(
    process.execPath,
    [
      ...['src/cli/main.ts', 'simulate', 'sweep', '-f', values, '--workload', workload],
      ...['--vary', 'workload.answer=500,600', '--jobs', '2'],
    ],
    { stdio: ['ignore', 'pipe', 'pipe'] },
  );
  const children = () =>
    execFileSync('ps', ['-eo', 'pid,ppid,args'], { encoding: 'utf8' })
      .split('\n')
      .filter((line) => line.includes(values) && !line.includes(' sweep '));
  while (children().length < 2) await delay(100);
  sweep.kill('SIGINT');
  const [code] = (await once(sweep, 'close')) as [number];
  assert.equal(code, 130);
  while (children().length > 0) await delay(50);
});
