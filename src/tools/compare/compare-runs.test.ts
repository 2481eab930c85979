import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type Random, seededRandom } from '../../core/base/index.ts';
import type { SavedResponse, SavedRun } from '../runs/index.ts';
import { compareJson, compareText } from './compare-report.ts';
import { compareRuns, type MeasuredRun } from './compare-runs.ts';
import { historyOf, regressionIn } from './history.ts';

const limits = { detect: 0.1, tolerance: 0.02 };

interface Made {
  readonly day: number;
  /** Latencies are this many times as long. */
  readonly factor?: number;
  readonly count?: number;
  readonly label?: string;
  readonly rate?: string;
  readonly status?: number;
  readonly environment?: SavedRun['environment'];
}

function made({ day, factor = 1, count = 120, label, rate = '8', ...rest }: Made): MeasuredRun {
  const random = seededRandom(day);
  return {
    run: {
      path: `runs/${day}`,
      command: 'bench serve',
      arguments: ['bench', 'serve', '--url', `http://${day}`, '--request-rate', rate],
      label,
      startedAt: `2026-01-${String(day).padStart(2, '0')}T00:00:00.000Z`,
      status: 'status' in rest ? rest.status : 0,
      result: {},
      environment: rest.environment,
    },
    responses: Array.from({ length: count }, (_, index) => response(index, factor, random)),
  };
}

function response(index: number, factor: number, random: Random): SavedResponse {
  const scale = factor * (0.95 + 0.1 * random.next());
  return {
    ...{ at: index / 8 + 0.001, due: index / 8 },
    ...{ ttftMs: 50 * scale, tpotMs: 10 * scale, e2eMs: 450 * scale },
    outputTokens: 41,
    error: undefined,
  };
}

const compared = (a: MeasuredRun, b: MeasuredRun) => compareRuns(a, b, limits, seededRandom(1));

test('a run whose responses take longer is worse, and a warning says that the runs did not alternate', () => {
  const { comparison, blockRequests } = compared(made({ day: 1 }), made({ day: 2, factor: 1.3 }));
  assert.equal(comparison.verdict, 'worse');
  assert.deepEqual([comparison.pairs, blockRequests], [12, 10]);
  const { ratio, low, high } = comparison.latencies.e2el ?? assert.fail();
  assert.ok(low < 1.3 && 1.3 < high && Math.abs(ratio - 1.3) < 0.02, `${low} ${ratio} ${high}`);
  assert.match(comparison.warnings.join(), /did not alternate/);
  assert.equal(compared(made({ day: 1 }), made({ day: 2 })).comparison.verdict, 'no difference');
});

test('latencies count from when a request was due', () => {
  const late = made({ day: 2 });
  const waiting = late.responses.map((one) => ({ ...one, at: one.at + 0.2 }));
  const { comparison } = compared(made({ day: 1 }), { ...late, responses: waiting });
  assert.equal(comparison.verdict, 'worse');
  assert.ok((comparison.latencies.ttft?.ratio ?? 0) > 4);
  assert.ok(Math.abs((comparison.latencies.tpot?.ratio ?? 0) - 1) < 0.01);
});

test('of an interrupted run, the blocks that both have are compared', () => {
  const { comparison, blockRequests } = compared(made({ day: 1 }), made({ day: 2, count: 83 }));
  assert.deepEqual([comparison.pairs, blockRequests], [8, 10]);
  assert.deepEqual(comparison.requests, { a: 80, b: 80 });
  const none = compared(made({ day: 1 }), made({ day: 2, count: 0 })).comparison;
  assert.deepEqual([none.verdict, none.pairs], ['not enough data', 0]);
});

test('runs of different loads are refused, and differences of the machines are said', () => {
  assert.throws(
    () => compared(made({ day: 1 }), made({ day: 2, rate: '9' })),
    /runs\/1 and runs\/2 are not runs of the same load: ".*--request-rate 8" and ".*--request-rate 9"/,
  );
  const on = (cpu: string, commit: string) => ({ cpu: { model: cpu }, git: { commit } });
  const { comparison } = compared(
    made({ day: 1, environment: on('EPYC', 'a') }),
    made({ day: 2, environment: on('Xeon', 'b') }),
  );
  assert.equal(comparison.warnings.at(-1), 'Their environments differ: cpu.model EPYC → Xeon.');
});

test('a history has the complete runs of a label and a load before the newest', () => {
  const newest = made({ day: 9, label: 'branch' }).run;
  const runs = [
    made({ day: 1, label: 'main' }),
    made({ day: 2, label: 'main', rate: '9' }),
    made({ day: 3, label: 'other' }),
    made({ day: 4, label: 'main', status: 130 }),
    made({ day: 5, label: 'main' }),
    made({ day: 10, label: 'main' }),
  ].map(({ run }) => run);
  const paths = historyOf(newest, [...runs, newest], 'main').map(({ path }) => path);
  assert.deepEqual(paths, ['runs/1', 'runs/5']);
});

test('the run since which a history is worse is the first of those at its end', () => {
  const find = (...factors: readonly number[]) => {
    const runs = factors.map((factor, index) => made({ day: index + 1, factor }));
    const found = regressionIn(runs, limits, seededRandom(1));
    return found && [found.good.path, found.bad.path];
  };
  assert.deepEqual(find(1, 1, 1.2, 1.2, 1.2), ['runs/2', 'runs/3']);
  assert.deepEqual(find(1, 1.2, 1, 1, 1.2), ['runs/4', 'runs/5'], 'a recovery begins anew');
  assert.equal(find(1.2, 1.2, 1), undefined);
  assert.equal(find(1, 1, 1), undefined);
  assert.equal(find(), undefined);
});

test('a single pair of blocks has no interval, as text and as JSON', () => {
  const { comparison, blockRequests } = compared(
    made({ day: 1, count: 1 }),
    made({ day: 2, count: 1 }),
  );
  assert.equal(comparison.pairs, 1);
  const side = { name: 'runs/1', model: 'm', origin: {} };
  const view = {
    ...{ a: side, b: side, comparison, limits, blockRequests, seed: 1, seconds: undefined },
    ...{ isPartial: false, gone: undefined },
  };
  assert.match(compareText(view), /^E2E +\d+\.\d\d +\d+\.\d\d +\d\.\d{3} +- +1\.000$/m);
  const { e2el } = compareJson(view)['latencies'] as Record<string, Record<string, unknown>>;
  assert.deepEqual([e2el?.['low'], e2el?.['high']], [null, null]);
});
