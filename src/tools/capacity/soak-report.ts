// A soak as a table and as JSON.
import {
  count,
  duration,
  gigabytes,
  number,
  percent,
  signedPercent,
  textTable,
} from '../report/index.ts';
import type { SoakOutcome } from './run-soak.ts';
import { type SoakTrend, windowsMin } from './soak-verdict.ts';
import type { SoakWindow } from './soak-windows.ts';

/** Rows of the table; a longer soak shows every n-th window. */
const rowsMax = 24;

export function soakTable(outcome: SoakOutcome): string {
  const { windows, windowSeconds, errors, requests, isPartial } = outcome;
  const step = Math.ceil(windows.length / rowsMax);
  const shown = windows.filter((_, index) => index % step === 0);
  const failed = windows.reduce((sum, window) => sum + window.failed, 0);
  const lines = [
    `${isPartial ? 'Interrupted: ' : ''}${count(requests)} requests in ${windows.length} windows of ${duration(windowSeconds)}${step > 1 ? `, of which every ${step}th is shown` : ''}; ${count(failed)} failed.`,
    ...[...errors].map(([kind, times]) => `errors      ${count(times)} ${kind}`),
    '',
    windowTable(shown),
    '',
    ...trendLines(outcome),
    verdictLine(outcome),
  ];
  return `${lines.join('\n')}\n`;
}

export function soakJson(outcome: SoakOutcome): Record<string, unknown> {
  return {
    verdict: outcome.verdict,
    interrupted: outcome.isPartial,
    requests: outcome.requests,
    errors_by_kind: Object.fromEntries(outcome.errors),
    window_seconds: outcome.windowSeconds,
    warmup_windows: outcome.warmupWindows,
    trends: outcome.trends.map(({ name, median, trend, change, isDrift }) => ({
      ...{ figure: name, median, change, drifts: isDrift },
      ...{ slope_per_window: trend.slope, low: trend.low, high: trend.high, p: trend.p },
    })),
    windows: outcome.windows.map(windowJson),
  };
}

export function windowJson(window: SoakWindow): Record<string, number | null> {
  return {
    start_seconds: window.startSeconds,
    completed: window.completed,
    failed: window.failed,
    good: window.good ?? null,
    output_tokens: window.outputTokens,
    p50_ttft_ms: window.ttftP50Ms ?? null,
    p99_ttft_ms: window.ttftP99Ms ?? null,
    p50_tpot_ms: window.tpotP50Ms ?? null,
    p50_e2el_ms: window.e2eP50Ms ?? null,
    server_bytes: window.serverBytes ?? null,
  };
}

function windowTable(windows: readonly SoakWindow[]): string {
  const hasGood = windows.some(({ good }) => good !== undefined);
  return textTable({
    head: [
      ...['from', 'completed', 'failed', 'TTFT p50', 'p99', 'TPOT p50', 'E2E p50'],
      ...(hasGood ? ['within limits'] : []),
      'server memory',
    ],
    rows: windows.map((window) => [
      duration(window.startSeconds),
      count(window.completed),
      count(window.failed),
      ...[window.ttftP50Ms, window.ttftP99Ms, window.tpotP50Ms, window.e2eP50Ms].map(milliseconds),
      ...(hasGood
        ? [percent((window.good ?? 0) / Math.max(1, window.completed + window.failed))]
        : []),
      window.serverBytes === undefined ? '-' : gigabytes(window.serverBytes),
    ]),
  });
}

function trendLines({ trends }: SoakOutcome): string[] {
  return trends.map(({ name, change, trend, isDrift }: SoakTrend) => {
    const p = trend.p < 0.001 ? 'p < 0.001' : `p = ${trend.p.toFixed(3)}`;
    return `${name.padEnd(14)} ${signedPercent(change).padStart(8)} over the soak (${p})${isDrift ? ': drifts' : ''}`;
  });
}

function verdictLine({ verdict, trends, windows, warmupWindows }: SoakOutcome): string {
  if (verdict === 'not enough data') {
    const needed = Math.ceil(windowsMin / 0.9);
    return `Not enough data: ${windows.length} complete windows; ${needed} are needed. Give a longer --duration or a shorter --window.`;
  }
  const drifting = trends.filter(({ isDrift }) => isDrift).map(({ name }) => name);
  const warmup =
    warmupWindows === 0
      ? ''
      : ` The first ${warmupWindows === 1 ? 'window counts' : `${warmupWindows} windows count`} as warm-up.`;
  return verdict === 'stable'
    ? `Stable: no figure got worse.${warmup}`
    : `Drifts: ${drifting.join(', ')} got worse.${warmup}`;
}

function milliseconds(value: number | undefined): string {
  return value === undefined ? '-' : `${number(value)} ms`;
}
