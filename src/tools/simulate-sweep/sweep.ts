// `spillway simulate sweep`: runs many simulations, one process each and as many at a time as there are cores.
import { execFile } from 'node:child_process';
import { availableParallelism } from 'node:os';
import { promisify } from 'node:util';
import { counted, InputError } from '../../core/base/index.ts';
import { type Estimate, estimate } from '../../core/stats/index.ts';
import { axisFlags, combinations, type SweepAxis } from './sweep-axis.ts';

/** The metrics of a run, from the JSON of `spillway simulate`. */
export const sweepMetrics = [
  ...(['output_throughput', 'total_token_throughput', 'mean_ttft_ms', 'p90_ttft_ms'] as const),
  ...(['p90_tpot_ms', 'p99_itl_ms', 'good_share'] as const),
  ...(['mean_tpot_ms', 'mean_e2el_ms', 'hit_rate', 'external_hit_rate', 'utilization'] as const),
  ...(['mean_kv_usage', 'working_set_ratio', 'gpus'] as const),
];
export type SweepMetric = (typeof sweepMetrics)[number];

export interface SweepOptions {
  /** Program and first arguments that run `spillway`. */
  readonly self: readonly [string, ...string[]];
  /** Flags of `spillway simulate` for all runs. */
  readonly flags: readonly string[];
  readonly axes: readonly SweepAxis[];
  /** Flags of each variant. @default one variant without a name */
  readonly variants?: readonly { readonly name: string; readonly flags: readonly string[] }[];
  readonly seeds: number;
  /** Number of processes at a time. @default the number of cores */
  readonly jobs?: number | undefined;
  /** Ends the running simulations. */
  readonly signal?: AbortSignal | undefined;
  readonly onProgress?: ((finished: number, total: number) => void) | undefined;
}

/** One combination of settings under one variant. */
export interface SweepRow {
  /** Aligned with the axes. */
  readonly settings: readonly string[];
  readonly variant: string;
  /** By metric, one value per seed. */
  readonly values: Readonly<Record<SweepMetric, readonly number[]>>;
  readonly estimates: Readonly<Record<SweepMetric, Estimate>>;
  /** Number of seeds whose run was OVERLOADED. */
  readonly overloaded: number;
}

export interface SweepOutcome {
  /** The combinations all of whose runs are complete. */
  readonly rows: readonly SweepRow[];
  /** Number of combinations in all. */
  readonly planned: number;
  /** Why a run was refused, which ended the sweep. */
  readonly failure: unknown;
}

/** Maximum duration of one simulation. */
const runMsMax = 30 * 60_000;
const outputBytesMax = 64 << 20;
const runsMax = 10_000;

/** @throws {InputError} If there are too many runs, or one is refused before a combination is complete; with its message. */
export async function simulateSweep(options: SweepOptions): Promise<SweepOutcome> {
  const { axes, seeds, variants = [{ name: '', flags: [] }] } = options;
  const cases = combinations(axes).flatMap((settings) =>
    variants.map((variant) => ({ settings, variant })),
  );
  if (cases.length * seeds > runsMax) {
    throw new InputError(
      `${counted(cases.length, 'combination')} of ${counted(seeds, 'seed')} are ${cases.length * seeds} runs; the maximum is ${runsMax}.`,
    );
  }
  const runs = cases.flatMap(({ settings, variant }, index) =>
    Array.from({ length: seeds }, (_, i) => ({
      ...{ index, seed: i },
      flags: [
        ...options.flags,
        ...axisFlags(axes, settings),
        ...variant.flags,
        ...['--seed', String(i + 1), '--json'],
      ],
    })),
  );
  const answers: Answer[][] = cases.map(() => []);
  let next = 0;
  let finished = 0;
  const stop = new AbortController();
  const signal = AbortSignal.any([stop.signal, ...(options.signal ? [options.signal] : [])]);
  const worker = async () => {
    for (let run = runs[next++]; run; run = runs[next++]) {
      // In the order of the seeds, not of completion: runs of one seed are compared with each other.
      const ofCase = answers[run.index] as Answer[];
      ofCase[run.seed] = await simulate(options.self, run.flags, signal);
      options.onProgress?.(++finished, runs.length);
    }
  };
  const jobs = Math.min(options.jobs ?? availableParallelism(), runs.length);
  const failure = await Promise.all(Array.from({ length: jobs }, worker)).then(
    () => undefined,
    (error: unknown) => (options.signal?.aborted ? undefined : error),
  );
  // The first simulation that fails ends all others.
  stop.abort();
  const rows = cases.flatMap(({ settings, variant }, i) => {
    const ofCase = (answers[i] ?? []).filter((answer) => answer !== undefined);
    return ofCase.length < seeds ? [] : [rowOf(settings, variant.name, ofCase)];
  });
  if (failure !== undefined && rows.length === 0) throw failure;
  return { rows, planned: cases.length, failure };
}

interface Answer {
  readonly [key: string]: unknown;
  readonly verdict: string;
  readonly spillway: {
    readonly gpus: number;
    readonly hbm_kv_tokens: number;
    readonly mean_kv_usage: number;
    readonly workload: { readonly working_set_tokens: number };
  };
}

async function simulate(
  [program, ...first]: readonly [string, ...string[]],
  flags: readonly string[],
  signal: AbortSignal,
): Promise<Answer> {
  try {
    const { stdout } = await promisify(execFile)(program, [...first, 'simulate', ...flags], {
      ...{ signal, timeout: runMsMax, maxBuffer: outputBytesMax },
    });
    return JSON.parse(stdout) as Answer;
  } catch (cause) {
    const { stderr = '' } = cause as { stderr?: string };
    const reason = stderr.trim().split('\n')[0] ?? '';
    throw new InputError(
      reason === ''
        ? `A simulation of the sweep ended without a result: spillway simulate ${flags.join(' ')}`
        : reason.replace(/^(spillway: |error: )+/, ''),
      { cause },
    );
  }
}

function rowOf(settings: readonly string[], variant: string, answers: readonly Answer[]): SweepRow {
  const values = Object.fromEntries(
    sweepMetrics.map((metric) => [metric, answers.map((answer) => metricOf(answer, metric))]),
  ) as Record<SweepMetric, number[]>;
  const estimates = Object.fromEntries(
    sweepMetrics.map((metric) => [metric, estimate(values[metric])]),
  ) as Record<SweepMetric, Estimate>;
  const overloaded = answers.filter(({ verdict }) => verdict === 'OVERLOADED').length;
  return { settings, variant, values, estimates, overloaded };
}

function metricOf(answer: Answer, metric: SweepMetric): number {
  const { gpus, hbm_kv_tokens, mean_kv_usage, workload } = answer.spillway;
  switch (metric) {
    case 'gpus':
      return gpus;
    case 'mean_kv_usage':
      return mean_kv_usage;
    case 'good_share':
      // Goodput divided by throughput; undefined without limits.
      return Number(answer['request_goodput'] ?? Number.NaN) / Number(answer['request_throughput']);
    case 'working_set_ratio':
      return workload.working_set_tokens / hbm_kv_tokens;
    default:
      return Number(answer[metric] ?? Number.NaN);
  }
}
