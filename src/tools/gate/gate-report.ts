// The gate's answer for people and for programs.
import {
  type EngineVerdict,
  type Gap,
  percentText,
  sparkline,
  type TrendPoint,
} from '../../core/gate/index.ts';
import type { GateRun } from './run-gate.ts';

/** Most gaps that are printed for one engine. */
const gapsShownMax = 3;

/** A table with a line for each engine, the gaps, and the verdict last. */
export function gateText(run: GateRun): string {
  const { engines, window, max, because, verdict, fleetP99, fleetTrend, intervalSeconds } = run;
  const rows = [
    [
      'engine',
      'P99',
      'highest',
      'samples',
      'restarts',
      `trend (steps of ${durationText((window.end - window.start) / fleetTrend.length)})`,
    ],
    ...engines.map((one) => [
      one.name,
      share(one.p99),
      share(one.highest),
      percentText(one.coverage),
      String(one.restarts),
      sparkline(one.trend),
    ]),
    ['all together', share(fleetP99), '', '', '', sparkline(fleetTrend)],
  ];
  const widths = (rows[0] as string[]).map((_, column) =>
    Math.max(...rows.map((row) => (row[column] as string).length)),
  );
  const lines = rows.map((row) =>
    row
      .map((cell, column) => cell.padEnd(widths[column] as number))
      .join('  ')
      .trimEnd(),
  );
  return [
    `HBM utilization (KV cache), P99 over ${durationText(window.end - window.start)} to ${instant(window.end)}, one sample each ${durationText(intervalSeconds)}; limit ${percentText(max)}`,
    '',
    ...lines,
    ...engines.flatMap(gapLines),
    '',
    `${{ pass: 'PASS', fail: 'FAIL', unknown: 'TOO LITTLE DATA' }[verdict]}: ${because}.`,
    '',
  ].join('\n');
}

/** The same as one JSON object; shares are fractions, times ISO 8601. */
export function gateJson(run: GateRun): object {
  const { engines, window, max, because, verdict, fleetP99, fleetTrend, intervalSeconds } = run;
  return {
    verdict,
    because,
    max,
    window: {
      start: instant(window.start),
      end: instant(window.end),
      seconds: window.end - window.start,
    },
    interval_seconds: intervalSeconds,
    fleet: { p99: fleetP99 ?? null, trend: fleetTrend.map(trendJson) },
    engines: engines.map((one) => ({
      name: one.name,
      verdict: one.verdict,
      p99: one.p99 ?? null,
      mean: one.mean ?? null,
      highest: one.highest ?? null,
      samples: one.samples,
      expected_samples: one.expectedSamples,
      coverage: one.coverage,
      restarts: one.restarts,
      gaps: one.gaps.map(gapJson),
      trend: one.trend.map(trendJson),
    })),
  };
}

function gapLines({ name, gaps }: EngineVerdict): string[] {
  const shown = gaps
    .slice(0, gapsShownMax)
    .map(
      ({ fromSeconds, toSeconds }) =>
        `no samples of ${name} from ${instant(fromSeconds)} to ${instant(toSeconds)} (${durationText(toSeconds - fromSeconds)})`,
    );
  const rest = gaps.length - shown.length;
  return rest > 0 ? [...shown, `and ${rest} more gaps of ${name}`] : shown;
}

function gapJson({ fromSeconds, toSeconds }: Gap): object {
  return {
    from: instant(fromSeconds),
    to: instant(toSeconds),
    seconds: toSeconds - fromSeconds,
  };
}

function trendJson({ atSeconds, mean, highest }: TrendPoint): object {
  return { at: instant(atSeconds), mean: mean ?? null, highest: highest ?? null };
}

function share(value: number | undefined): string {
  return value === undefined ? '-' : percentText(value);
}

function instant(seconds: number): string {
  return new Date(seconds * 1000).toISOString().replace(/\.000Z$/, 'Z');
}

/** 5400 as `90m`. */
function durationText(seconds: number): string {
  for (const [unit, length] of [
    ['d', 86_400],
    ['h', 3600],
    ['m', 60],
  ] as const) {
    if (seconds >= 2 * length || seconds === length)
      return `${Number((seconds / length).toFixed(1))}${unit}`;
  }
  return `${Number(seconds.toFixed(1))}s`;
}
