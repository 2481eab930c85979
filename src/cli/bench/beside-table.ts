// What was measured beside what was simulated, as a table and as JSON.
import { latencyKeys, type ServeReport } from '../../core/stats/index.ts';
import { percent, signedPercent, textTable } from '../../tools/report/index.ts';

/** A report of a simulation, and the file that describes its stack. */
export interface Simulated {
  readonly file: string;
  readonly report: ServeReport;
}

const rows: readonly (readonly [name: string, key: string])[] = [
  ['TTFT mean', 'mean_ttft_ms'],
  ['TTFT p50', 'median_ttft_ms'],
  ['TPOT mean', 'mean_tpot_ms'],
  ['TPOT p50', 'median_tpot_ms'],
  ['E2E mean', 'mean_e2el_ms'],
  ['E2E p50', 'median_e2el_ms'],
];

/** Returns a table with both columns. */
export function besideTable(measured: ServeReport, { file, report }: Simulated): string {
  const [live, simulated] = [keysOf(measured), keysOf(report)];
  const table = textTable({
    head: [`beside ${file}`, 'measured', 'simulated', 'measured / simulated'],
    rows: [
      ...rows.map(([name, key]) => row(`${name}, ms`, live[key], simulated[key])),
      row('requests/s', rateOf(measured), rateOf(report)),
      row('cached tokens', cachedShare(measured), cachedShare(report)),
    ],
  });
  return `\n${[table, ...warmCache(cachedShare(measured), cachedShare(report))].join('\n')}\n`;
}

/** Share of the prompt tokens by which the cache hits of both may differ. */
const cachedShareSpread = 0.05;

/** A simulation begins with empty caches; a server that has met the same prompts does not. */
function warmCache(live: number | null, simulated: number | null): string[] {
  if (live === null || simulated === null || live <= simulated + cachedShareSpread) return [];
  return [
    '',
    `WARNING     the server had ${percent(live, 1)} of the prompt tokens cached, the simulation ${percent(simulated, 1)}: another --seed gives prompts that the server has not met.`,
  ];
}

/** The same as JSON. */
export function besideJson(
  measured: ServeReport,
  { file, report }: Simulated,
): Record<string, unknown> {
  return {
    values: file,
    simulated: {
      ...keysOf(report),
      request_throughput: rateOf(report),
      cached_share: cachedShare(report),
    },
    measured: {
      ...keysOf(measured),
      request_throughput: rateOf(measured),
      cached_share: cachedShare(measured),
    },
  };
}

function keysOf({ fromSent, percentiles }: ServeReport): Record<string, number | null> {
  return latencyKeys(fromSent, percentiles);
}

function rateOf({ completed, durationSeconds }: ServeReport): number | null {
  return durationSeconds > 0 ? completed / durationSeconds : null;
}

function cachedShare({ cachedTokens, cacheQueriedTokens }: ServeReport): number | null {
  return cacheQueriedTokens > 0 ? cachedTokens / cacheQueriedTokens : null;
}

function row(name: string, live: number | null | undefined, simulated: number | null | undefined) {
  const hasBoth = typeof live === 'number' && typeof simulated === 'number' && simulated !== 0;
  return [name, cell(live), cell(simulated), hasBoth ? signedPercent(live / simulated - 1) : '-'];
}

function cell(value: number | null | undefined): string {
  return typeof value === 'number' ? value.toFixed(value < 100 ? 3 : 1) : '-';
}
