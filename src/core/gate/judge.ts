// Judges the P99 of HBM utilization over a window, for each engine and for the fleet.
import { counted } from '../base/index.ts';
import { percentile } from '../stats/index.ts';
import { type Gap, gapsOf } from './gaps.ts';
import { type TrendPoint, trendOf } from './trend.ts';

/** Samples of one engine, in order of time. */
export interface EngineSeries {
  readonly name: string;
  /** Unix seconds, ascending. */
  readonly times: ArrayLike<number>;
  /**
   * Shares of the KV cache in use, aligned with `times`; values that are not finite count as
   * missing.
   */
  readonly values: ArrayLike<number>;
  /** Number of restarts of the engine within the window. */
  readonly restarts: number;
}

export interface GateOptions {
  /** Unix seconds. */
  readonly window: { readonly start: number; readonly end: number };
  /** Interval between two scrapes, in seconds. */
  readonly intervalSeconds: number;
  /** Maximum P99 that passes. */
  readonly max: number;
  /** Minimum share of the expected samples for judging an engine. @default 0.9 */
  readonly coverageMin?: number;
}

/** `unknown`: too few samples for a verdict. */
export type Verdict = 'pass' | 'fail' | 'unknown';

export interface EngineVerdict {
  readonly name: string;
  readonly verdict: Verdict;
  /** Undefined without samples. */
  readonly p99: number | undefined;
  readonly mean: number | undefined;
  readonly highest: number | undefined;
  readonly samples: number;
  readonly expectedSamples: number;
  /** Number of samples over the expected number, at most 1. */
  readonly coverage: number;
  readonly gaps: readonly Gap[];
  readonly restarts: number;
  readonly trend: readonly TrendPoint[];
}

export interface GateVerdict {
  readonly verdict: Verdict;
  /** The reason in words, with the names of the engines. */
  readonly because: string;
  /**
   * P99 over the samples of all engines together. It hides a single engine over the limit, so it
   * does not decide.
   */
  readonly fleetP99: number | undefined;
  readonly fleetTrend: readonly TrendPoint[];
  readonly engines: readonly EngineVerdict[];
}

/** Highest P99 that passes; a plan's and a values file's `hbmUtilization` have the same default. */
export const gateMaxDefault = 0.92;
/** Share of the expected samples below which the window is not judged. */
const defaultCoverageMin = 0.9;
/** Number of steps in a chart of the window. */
const trendSteps = 24;
/** Maximum number of engines named in one sentence. */
const namesShownMax = 3;

/**
 * Judges each engine. The gate fails if one engine is over the limit, whatever the P99 of the
 * fleet; otherwise it is unknown if one engine has too few samples; otherwise it passes.
 *
 * @see docs/guide/gate.md
 */
export function judge(given: readonly EngineSeries[], options: GateOptions): GateVerdict {
  const series = given.map(finite);
  const engines = series.map((one) => judgeEngine(one, options));
  const all = pooled(series).sort();
  const failed = engines.filter(({ verdict }) => verdict === 'fail');
  const unknown = engines.filter(({ verdict }) => verdict === 'unknown');
  const verdict = failed.length > 0 ? 'fail' : unknown.length > 0 ? 'unknown' : 'pass';
  return {
    verdict: engines.length === 0 ? 'unknown' : verdict,
    because: sentence(engines, options),
    fleetP99: all.length > 0 ? percentile(all, 99) : undefined,
    fleetTrend: trendOf(series, options.window, trendSteps),
    engines,
  };
}

/** Prometheus keeps NaN and infinities as samples. */
function finite(series: EngineSeries): EngineSeries {
  const isNumber = (index: number) => Number.isFinite(series.values[index]);
  const times = Array.from(series.times);
  if (times.every((_, index) => isNumber(index))) return series;
  return {
    ...series,
    times: times.filter((_, index) => isNumber(index)),
    values: Array.from(series.values).filter((_, index) => isNumber(index)),
  };
}

function judgeEngine(series: EngineSeries, options: GateOptions): EngineVerdict {
  const { window, intervalSeconds, max, coverageMin = defaultCoverageMin } = options;
  const { times, values, restarts, name } = series;
  const expectedSamples = Math.max(1, Math.round((window.end - window.start) / intervalSeconds));
  const coverage = Math.min(1, values.length / expectedSamples);
  const sorted = Float64Array.from(values).sort();
  const empty = sorted.length === 0;
  const p99 = empty ? undefined : percentile(sorted, 99);
  const enough = coverage >= coverageMin && p99 !== undefined;
  return {
    name,
    verdict: enough ? (p99 > max ? 'fail' : 'pass') : 'unknown',
    p99,
    mean: empty ? undefined : sorted.reduce((sum, value) => sum + value, 0) / sorted.length,
    highest: sorted.at(-1),
    samples: values.length,
    expectedSamples,
    coverage,
    gaps: gapsOf(times, window, intervalSeconds),
    restarts,
    trend: trendOf([series], window, trendSteps),
  };
}

function pooled(series: readonly EngineSeries[]): Float64Array {
  const all = new Float64Array(series.reduce((sum, { values }) => sum + values.length, 0));
  let next = 0;
  for (const { values } of series) {
    all.set(values, next);
    next += values.length;
  }
  return all;
}

function sentence(engines: readonly EngineVerdict[], { max, coverageMin }: GateOptions): string {
  if (engines.length === 0) return 'no engine reported its KV-cache utilization in this window';
  const failed = engines.filter(({ verdict }) => verdict === 'fail');
  const unknown = engines.filter(({ verdict }) => verdict === 'unknown');
  const limit = percentText(max);
  const over = ({ p99 = 0 }: EngineVerdict) => percentBeside(p99, max);
  const least = percentText(coverageMin ?? defaultCoverageMin);
  if (failed.length > 0) {
    return `${failed.length} of ${counted(engines.length, 'engine')} over ${limit}: ${named(failed, over)}`;
  }
  if (unknown.length > 0) {
    const hot = unknown.filter(({ p99 = 0 }) => p99 > max);
    const warning =
      hot.length > 0 ? `; the existing samples of ${named(hot, over)} are over ${limit}` : '';
    return (
      `${unknown.length} of ${counted(engines.length, 'engine')} with fewer than ${least} of the expected samples: ` +
      `${named(unknown, ({ coverage }) => percentText(coverage))}${warning}`
    );
  }
  return engines.length === 1
    ? `the P99 of the engine is at most ${limit}`
    : `the P99 of each of ${engines.length} engines is at most ${limit}`;
}

function named(
  engines: readonly EngineVerdict[],
  figure: (engine: EngineVerdict) => string,
): string {
  const shown = engines.slice(0, namesShownMax).map((one) => `${one.name} (${figure(one)})`);
  const rest = engines.length - shown.length;
  return shown.join(', ') + (rest > 0 ? ` and ${rest} more` : '');
}

/** Formats 0.9214 as `92.1 %`. */
export function percentText(share: number, digits = 1): string {
  return `${Number((share * 100).toFixed(digits))} %`;
}

/** Formats a share with as many digits as it needs to differ from the other. */
function percentBeside(share: number, other: number): string {
  const digitsMax = 6;
  let digits = 1;
  while (digits < digitsMax && percentText(share, digits) === percentText(other, digits)) digits++;
  return percentText(share, digits);
}
