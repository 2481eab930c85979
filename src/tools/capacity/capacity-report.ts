// Sweeps and searches as tables and as JSON.
import type { Probe, Proportion } from '../../core/capacity/index.ts';
import { type ServiceLevel, serveSummaryJson } from '../../core/stats/index.ts';
import { count, number, percent, textTable } from '../report/index.ts';
import type { LoadAxis, LoadPoint } from './load-point.ts';
import type { SearchOutcome } from './run-rate-search.ts';
import type { SweepOutcome } from './run-sweep.ts';

export function sweepTable(outcome: SweepOutcome): string {
  const { axis, points, knee, enough, isPartial } = outcome;
  const lines = [
    ...(isPartial ? ['Interrupted: the loads below are complete.', ''] : []),
    pointTable(axis, points),
    '',
  ];
  const highest = points.reduce((max, { load }) => Math.max(max, load), 0);
  if (knee === undefined || enough === undefined)
    lines.push('No response was complete: there is no knee.');
  else {
    const figures = `${rate(knee.throughput)} requests/s, ${count(knee.tokenThroughput)} output tokens/s at ${milliseconds(knee.latencySeconds * 1000)} end to end`;
    lines.push(
      knee.load === highest
        ? `knee        not below ${loadText(axis, highest)}, the highest load: ${figures}`
        : `knee        ${loadText(axis, knee.load)}: ${figures}; more load brings more waiting than throughput`,
      `saturation  ${rate(enough.throughput)} requests/s, ${count(enough.tokenThroughput)} output tokens/s at ${loadText(axis, enough.load)}, within 5 % of the highest throughput`,
    );
  }
  if (enough !== undefined && enough.load === highest) {
    lines.push(
      points.length > 1
        ? 'WARNING     throughput still grows at the highest load: the server can take more.'
        : 'WARNING     there is only one load: measure others to find what the server can take.',
    );
  }
  return `${lines.join('\n')}\n`;
}

export function sweepJson({
  axis,
  points,
  knee,
  enough,
  isPartial,
}: SweepOutcome): Record<string, unknown> {
  return {
    axis,
    interrupted: isPartial,
    points: points.map((point) => pointJson(axis, point)),
    knee: knee === undefined ? null : { [axis]: knee.load, ...throughputs(knee) },
    enough: enough === undefined ? null : { [axis]: enough.load, ...throughputs(enough) },
  };
}

/** @param goal Share of the requests that must be within the service level. */
export function searchTable(outcome: SearchOutcome, level: ServiceLevel, goal: number): string {
  const { points, holds, fails, isPartial } = outcome;
  const what = `${levelText(level)} for ${percent(goal, 1)} of the requests`;
  const lines = [
    pointTable('rate', points),
    '',
    holds === undefined
      ? `${isPartial ? 'Interrupted: so far, no' : 'No'} rate holds ${what}.`
      : `${isPartial ? 'Interrupted: so far, the' : 'The'} highest rate that holds ${what} is ${rate(holds.rate)} requests/s.`,
    ...(holds === undefined ? [] : [`holds       ${probeText(holds)}`]),
    ...(fails === undefined ? [] : [`fails       ${failText(fails, points)}`]),
  ];
  if (fails === undefined && holds !== undefined && !isPartial) {
    lines.push('WARNING     the search ended at its highest rate: the server can take more.');
  }
  return `${lines.join('\n')}\n`;
}

export function searchJson(
  outcome: SearchOutcome,
  level: ServiceLevel,
  goal: number,
): Record<string, unknown> {
  const { points, holds, fails, isPartial } = outcome;
  return {
    axis: 'rate',
    interrupted: isPartial,
    slo: {
      ttft_ms: level.ttftMs ?? null,
      tpot_ms: level.tpotMs ?? null,
      e2el_ms: level.e2eMs ?? null,
      share: goal,
    },
    max_rate: holds?.rate ?? null,
    holds: probeJson(holds),
    fails: probeJson(fails),
    points: points.map((point) => pointJson('rate', point)),
  };
}

function pointTable(axis: LoadAxis, points: readonly LoadPoint[]): string {
  const hasLevel = points.some(({ goodShare }) => goodShare !== undefined);
  return textTable({
    head: [
      ...(axis === 'rate' ? ['requests/s'] : ['users']),
      ...['completed/s', 'tokens/s', 'TTFT p50', 'p99', 'TPOT p50', 'p99', 'E2E mean', 'failed'],
      ...(hasLevel ? ['within SLO'] : []),
      '',
    ],
    rows: points.map((point) => [
      rate(point.load),
      rate(point.throughput),
      count(point.tokenThroughput),
      ...latencyCells(point, 'ttft'),
      ...latencyCells(point, 'tpot'),
      milliseconds(point.latencySeconds * 1000),
      count(point.report.failed),
      ...(hasLevel ? [percent(point.goodShare ?? 0)] : []),
      point.isBehind ? 'falls behind' : '',
    ]),
  });
}

function latencyCells({ report }: LoadPoint, name: 'ttft' | 'tpot'): string[] {
  const summary = report.fromSent[name];
  const p99 = summary?.percentiles.find(({ q }) => q === 99)?.value;
  return [milliseconds(summary?.median), milliseconds(p99 ?? undefined)];
}

/** A point in the keys of `vllm bench serve`, with its load. */
export function pointJson(axis: LoadAxis, point: LoadPoint): Record<string, unknown> {
  return {
    [axis]: point.load,
    ...throughputs(point),
    falls_behind: point.isBehind,
    good_share: point.goodShare ?? null,
    ...serveSummaryJson(point.report),
  };
}

/** Throughputs in the middle of a run; `request_throughput` includes its ends, as vLLM's does. */
function throughputs({ throughput, tokenThroughput }: LoadPoint): Record<string, number> {
  return { steady_request_throughput: throughput, steady_output_throughput: tokenThroughput };
}

function probeText({ rate: at, share, low, high, total, runs }: Probe & Proportion): string {
  return `${rate(at)} requests/s: ${percent(share)} (95 % interval ${percent(low)} to ${percent(high)}) of ${count(total)} requests in ${runs === 1 ? '1 run' : `${runs} runs`}`;
}

/** A rate at which the server falls behind fails whatever its share, so that share says nothing. */
function failText(probe: Probe & Proportion, points: readonly LoadPoint[]): string {
  return points.some(({ load, isBehind }) => load === probe.rate && isBehind)
    ? `${rate(probe.rate)} requests/s: the server falls behind, so responses of a longer run would be late`
    : probeText(probe);
}

function probeJson(probe: (Probe & Proportion) | undefined): Record<string, number> | null {
  if (probe === undefined) return null;
  const { rate: at, good, total, runs, share, low, high } = probe;
  return { rate: at, good, total, runs, share, low, high };
}

function levelText({ ttftMs, tpotMs, e2eMs }: ServiceLevel): string {
  const parts = [
    ['TTFT', ttftMs],
    ['TPOT', tpotMs],
    ['E2E', e2eMs],
  ].flatMap(([name, limit]) => (limit === undefined ? [] : [`${name} <= ${limit} ms`]));
  return parts.join(', ');
}

function loadText(axis: LoadAxis, load: number): string {
  return axis === 'rate' ? `${rate(load)} requests/s` : load === 1 ? '1 user' : `${load} users`;
}

function milliseconds(value: number | undefined): string {
  return value === undefined || !Number.isFinite(value) ? '-' : `${number(value)} ms`;
}

function rate(value: number): string {
  return Number.isInteger(value) ? String(value) : value.toFixed(value < 100 ? 2 : 0);
}
