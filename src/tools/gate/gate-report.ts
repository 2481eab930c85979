// Formats the verdict of the gate for people and for programs.
import { counted } from '../../core/base/index.ts';
import {
  type EngineVerdict,
  type Gap,
  percentText,
  sparkline,
  type TrendPoint,
} from '../../core/gate/index.ts';
import { duration, textTable } from '../report/index.ts';
import type { GateRun } from './run-gate.ts';

/** Maximum number of gaps that are printed for one engine. */
const gapsShownMax = 3;

/** Returns a table with one line per engine, the gaps, and the verdict at the end. */
export function gateText(run: GateRun): string {
  const { engines, window, max, because, verdict, fleetP99, fleetTrend, intervalSeconds } = run;
  const table = {
    head: [
      'engine',
      'P99',
      'highest',
      'samples',
      'restarts',
      `trend (steps of ${duration((window.end - window.start) / fleetTrend.length)})`,
    ],
    rows: [
      ...engines.map((one) => [
        one.name,
        share(one.p99),
        share(one.highest),
        percentText(one.coverage),
        String(one.restarts),
        sparkline(one.trend),
      ]),
      ['all together', share(fleetP99), '', '', '', sparkline(fleetTrend)],
    ],
  };
  return [
    `HBM utilization (KV cache), P99 over ${duration(window.end - window.start)} to ${instant(window.end)}, one sample each ${duration(intervalSeconds)}; limit ${percentText(max)}`,
    '',
    textTable(table, { isLeft: () => true }),
    ...engines.flatMap(gapLines),
    '',
    `${{ pass: 'PASS', fail: 'FAIL', unknown: 'TOO LITTLE DATA' }[verdict]}: ${because}.`,
    '',
  ].join('\n');
}

/** Returns the same as one JSON object; shares are fractions, times ISO 8601. */
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
        `no samples of ${name} from ${instant(fromSeconds)} to ${instant(toSeconds)} (${duration(toSeconds - fromSeconds)})`,
    );
  const rest = gaps.length - shown.length;
  return rest > 0 ? [...shown, `and ${counted(rest, 'more gap')} of ${name}`] : shown;
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
