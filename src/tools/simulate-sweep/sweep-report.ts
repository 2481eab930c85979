// A sweep as a table, as JSON, and as a page with its Pareto chart.
import { counted } from '../../core/base/index.ts';
import type { Estimate } from '../../core/stats/index.ts';
import {
  htmlPage,
  lineChart,
  markup,
  percent,
  printZoomOf,
  signedPercent,
  textTable,
} from '../report/index.ts';
import { type BreakEven, leastGain } from './break-even.ts';
import { type SweepRow, sweepMetrics } from './sweep.ts';
import type { SweepAxis } from './sweep-axis.ts';

export interface SweepReport {
  readonly axes: readonly SweepAxis[];
  readonly rows: readonly SweepRow[];
  /** Combinations in all; those that are not among the rows were not completed. */
  readonly planned: number;
  readonly seeds: number;
  /** Undefined unless requested. */
  readonly breakEvens?: readonly BreakEven[] | undefined;
}

export function sweepJson(report: SweepReport): Record<string, unknown> {
  const { axes, rows, planned, seeds, breakEvens } = report;
  const front = new Set(paretoFront(rows));
  return {
    axes: axes.map(({ key }) => key),
    seeds,
    interrupted: rows.length < planned,
    rows: rows.map((row) => ({
      settings: Object.fromEntries(axes.map(({ key }, i) => [key, row.settings[i]])),
      ...(row.variant === '' ? {} : { variant: row.variant }),
      overloaded: row.overloaded,
      pareto: front.has(row),
      ...Object.fromEntries(
        sweepMetrics.map((metric) => [
          metric,
          { ...row.estimates[metric], values: row.values[metric] },
        ]),
      ),
    })),
    ...(breakEvens === undefined ? {} : { break_even: breakEvens.map(breakEvenJson) }),
  };
}

function breakEvenJson({ variant, points, alwaysPays, neverPays, ratio, kvUsage }: BreakEven) {
  return {
    variant,
    least_gain: leastGain,
    seeds_always_paying: alwaysPays,
    seeds_never_paying: neverPays,
    working_set_ratio: ratio ?? null,
    mean_kv_usage: kvUsage ?? null,
    points: points.map(({ setting, ratio: at, kvUsage: usage, gain, avoided }) => ({
      setting,
      working_set_ratio: at,
      mean_kv_usage: usage,
      re_prefills_avoided: avoided,
      gain,
    })),
  };
}

/** Returns the rows that no other row beats in both tokens per second per GPU and mean TTFT, without overloaded ones. */
export function paretoFront(rows: readonly SweepRow[]): SweepRow[] {
  const able = rows.filter(({ overloaded }) => overloaded === 0);
  return able.filter(
    (row) =>
      !able.some(
        (other) =>
          perGpu(other) >= perGpu(row) &&
          ttft(other) <= ttft(row) &&
          (perGpu(other) > perGpu(row) || ttft(other) < ttft(row)),
      ),
  );
}

const perGpu = ({ estimates }: SweepRow) => estimates.output_throughput.mean / estimates.gpus.mean;
const ttft = ({ estimates }: SweepRow) => estimates.mean_ttft_ms.mean;

export function sweepTable(report: SweepReport): string {
  const { axes, rows, planned, seeds } = report;
  const front = new Set(paretoFront(rows));
  const named = rows.some(({ variant }) => variant !== '');
  const hasLimits = rows.some(({ estimates }) => !Number.isNaN(estimates.good_share.mean));
  const head = [
    ...axes.map(({ key }) => key.split('.').at(-1) ?? key),
    ...(named ? ['offload'] : []),
    ...['output tok/s', 'mean TTFT ms', 'p90 TTFT ms', 'mean TPOT ms', 'p90 TPOT ms'],
    ...['mean E2E ms', 'hit rate', 'set/HBM', ...(hasLimits ? ['good'] : []), ''],
  ];
  const cells = rows.map((row) => {
    const { estimates, settings, variant, overloaded } = row;
    return [
      ...settings,
      ...(named ? [variant] : []),
      within(estimates.output_throughput, 0),
      within(estimates.mean_ttft_ms, 0),
      within(estimates.p90_ttft_ms, 0),
      within(estimates.mean_tpot_ms, 1),
      within(estimates.p90_tpot_ms, 1),
      within(estimates.mean_e2el_ms, 0),
      percent(estimates.hit_rate.mean),
      estimates.working_set_ratio.mean.toFixed(2),
      ...(hasLimits ? [percent(estimates.good_share.mean)] : []),
      overloaded > 0 ? `OVERLOADED in ${overloaded} of ${seeds}` : front.has(row) ? 'Pareto' : '',
    ];
  });
  const interval = seeds > 1 ? `± is the 95 % interval over ${seeds} seeds.\n` : '';
  const isLeft = (column: number, columns: number) => column === columns - 1;
  const partial =
    rows.length < planned
      ? `Interrupted: ${rows.length} of ${counted(planned, 'combination')} ${rows.length === 1 ? 'is' : 'are'} complete.\n\n`
      : '';
  return `${partial}${textTable({ head, rows: cells }, { isLeft })}\n${interval}${breakEvenLines(report).join('\n')}`;
}

export function breakEvenLines({ breakEvens = [] }: SweepReport): string[] {
  return breakEvens.flatMap((found) => {
    const { variant, points, ratio, kvUsage } = found;
    return [
      ratio === undefined || kvUsage === undefined
        ? `${variant}: ${whyNone(found)}`
        : `${variant}: pays from a working set of ${spread(ratio, 2)} × HBM, at ${spread(scaled(kvUsage, 100), 0)} % of the KV cache in use`,
      ...points.map(
        ({ setting, ratio: at, kvUsage: usage, gain, avoided }) =>
          `  ${setting}: set/HBM ${at.toFixed(2)}, KV in use ${percent(usage)}, re-prefills avoided ${signedPercent(avoided)}, gain ${signedPercent(gain.mean)} (${signedPercent(gain.low)} to ${signedPercent(gain.high)})`,
      ),
      '',
    ];
  });
}

function whyNone({ points, alwaysPays, neverPays }: BreakEven): string {
  const seeds = points[0]?.gains.length ?? 0;
  if (alwaysPays === seeds) return 'pays at every simulated setting; its break-even is lower';
  if (neverPays === seeds) return 'does not pay at the last simulated setting';
  return (
    `no break-even for every seed: of ${seeds}, ${alwaysPays} gain at every simulated setting, ` +
    `${neverPays} gain nothing at the last`
  );
}

/** Returns one HTML file without external resources. */
export function sweepPage(report: SweepReport, command: string): string {
  const { axes, rows, breakEvens = [] } = report;
  const front = paretoFront(rows).toSorted((a, b) => ttft(a) - ttft(b));
  const nameOf = ({ settings, variant }: SweepRow) =>
    [...settings, ...(variant === '' ? [] : [variant])].join(' ');
  const pareto = lineChart({
    title: 'Pareto: tokens per second per GPU vs time to first token',
    xLabel: 'mean TTFT, seconds (logarithmic)',
    yLabel: 'output tok/s per GPU',
    logX: true,
    series: [{ name: 'front', points: front.map((row) => [ttft(row) / 1000, perGpu(row)]) }],
    marks: rows.map((row) => ({ x: ttft(row) / 1000, y: perGpu(row), text: nameOf(row) })),
  });
  const gains = lineChart({
    title: 'Gain in tokens per second over no offload',
    ...{ xLabel: 'working set / HBM', yLabel: 'gain, %' },
    yMax: Math.max(5, ...breakEvens.flatMap(({ points }) => points.map((p) => p.gain.mean * 100))),
    series: breakEvens.map(({ variant, points }) => ({
      name: variant,
      points: points.map(({ ratio, gain }) => [ratio, Math.max(0, gain.mean * 100)] as const),
    })),
  });
  const table = sweepTable(report);
  return htmlPage({
    title: 'Sweep',
    // Two charts and lines of text.
    printZoom: printZoomOf(110 + 2.9 * table.split('\n').length),
    body: markup`<p class="name">spillway simulate sweep</p><h1>${axes.map(({ key }) => key).join(', ')}</h1>
<section class="charts">${pareto}${breakEvens.length > 0 && gains}</section>
<pre class="table" tabindex="0">${table}</pre><footer><pre>${command}</pre></footer>`,
  });
}

function within({ mean, high, count }: Estimate, digits: number): string {
  const shown = mean.toFixed(digits);
  return count > 1 ? `${shown} ± ${(high - mean).toFixed(digits)}` : shown;
}

function spread({ mean, low, high, count }: Estimate, digits: number): string {
  const shown = mean.toFixed(digits);
  return count > 1 ? `${shown} (${low.toFixed(digits)} to ${high.toFixed(digits)})` : shown;
}

function scaled({ mean, low, high, count }: Estimate, by: number): Estimate {
  return { mean: mean * by, low: low * by, high: high * by, count };
}
