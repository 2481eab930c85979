// Formats the result of a load as a text table.
import { counted } from '../../core/base/index.ts';
import {
  type LatencySummaries,
  loadSpread,
  type ServeReport,
  type Summary,
  samplesNeeded,
} from '../../core/stats/index.ts';
import { count, percent, textTable } from '../report/index.ts';
import type { LoadOptions } from './load-options.ts';
import type { LoadOutcome } from './load-outcome.ts';
import { isLongEnough, steadyFromSeconds } from './steady-part.ts';

/** Client lag above this share of the median TTFT gets a warning. */
const lagShareMax = 0.05;

/** Share of a core from which a client process counts as too busy. */
const busyShare = 0.7;

/** Returns the report: several lines without colour. */
export function loadTable(options: LoadOptions, outcome: LoadOutcome): string {
  const { report } = outcome;
  return [
    ...headLines(options, outcome),
    '',
    ...latencyLines(report, options.percentiles),
    '',
    ...rateLines(options, outcome),
    ...goodputLines(options, report),
    ...cacheLines(outcome),
    ...engineLines(report),
    ...errorLines(outcome),
    '',
  ].join('\n');
}

function headLines(options: LoadOptions, outcome: LoadOutcome): string[] {
  const { report, requestCount } = outcome;
  const { timeScale } = options;
  const cutOff = report.errors.get('interrupted') ?? 0;
  const notSent = requestCount - report.completed - report.failed;
  const counts = [
    `${count(report.completed)} of ${counted(requestCount, 'request')} completed`,
    `${count(report.failed - cutOff)} failed`,
    ...(cutOff === 0 ? [] : [`${count(cutOff)} cut off in flight`]),
    ...(notSent === 0 ? [] : [`${count(notSent)} not sent`]),
  ];
  return [
    `${stopText(options, outcome)}${counts.join(', ')}, in ${report.durationSeconds.toFixed(1)} s.`,
    ...emulatedLines(report),
    ...(timeScale === 1
      ? []
      : [
          `All times are GPU time: ${timeScale} GPU seconds passed per wall second (the run took ${(report.durationSeconds / timeScale).toFixed(1)} s).`,
        ]),
  ];
}

function stopText({ refusedMax = 0 }: LoadOptions, outcome: LoadOutcome): string {
  if (outcome.isServerGone) {
    return `Stopped after ${counted(refusedMax, 'refused connection')} in a row: `;
  }
  if (outcome.clientDeaths.length > 0) return 'Incomplete: ';
  return outcome.isPartial ? 'Interrupted: ' : '';
}

/** Says that figures come from an emulation; empty for real engines. */
function emulatedLines({ emulated, completed }: ServeReport): string[] {
  if (emulated === 0) return [];
  const part =
    emulated === completed
      ? 'The responses'
      : `${count(emulated)} of ${counted(completed, 'response')}`;
  return [`${part} come from emulated engines: times are modelled, texts synthetic.`];
}

function latencyLines(report: ServeReport, percentiles: readonly number[]): string[] {
  const row = (name: string, summary: Summary | undefined) => [
    name,
    cell(summary?.mean),
    ...percentiles.map((q, index) => {
      const value = summary?.percentiles[index]?.value;
      return value === null ? `n<${samplesNeeded(q)}` : cell(value);
    }),
  ];
  const rows = (summaries: LatencySummaries) => [
    row('TTFT', summaries.ttft),
    row('TPOT', summaries.tpot),
    row('ITL', summaries.itl),
    row('E2E', summaries.e2el),
  ];
  const table = {
    head: ['milliseconds', 'mean', ...percentiles.map((q) => `p${q}`)],
    rows: [
      ...rows(report.fromSent),
      row('TTFT since due', report.fromScheduled.ttft),
      row('E2E since due', report.fromScheduled.e2el),
      row('client lag (sent - due)', report.clientLag),
    ],
  };
  return textTable(table, { gap: 1, widthsMin: [24, 10] }).split('\n');
}

function rateLines({ timeScale, concurrencyMax }: LoadOptions, outcome: LoadOutcome): string[] {
  const { report } = outcome;
  const wallSeconds = report.durationSeconds / timeScale;
  const perSecond = (count: number) => rate(count / report.durationSeconds);
  const lag = report.clientLag;
  const ttft = report.fromSent.ttft;
  const isLate = lag && ttft && lag.mean > lagShareMax * ttft.median;
  return [
    `offered     ${rate(report.offeredRate)} requests/s, sent ${rate(report.sentRate)}, completed ${perSecond(report.completed)}; at most ${report.peakConcurrency} at once`,
    `tokens      ${perSecond(report.inputTokens)} in/s, ${perSecond(report.outputTokens)} out/s; ${counted(report.peakChunksPerSecond, 'chunk')} in the busiest second`,
    `client      ${percent(outcome.clientCpuSeconds / wallSeconds, 2)} of a core${outcome.clients === 1 ? '' : `, in ${outcome.clients} processes`}`,
    ...clientLines(outcome, wallSeconds),
    ...steadyLines(outcome),
    ...engineLagLines(report),
    ...(isLate
      ? [
          concurrencyMax !== undefined && report.peakConcurrency >= concurrencyMax
            ? `waits       requests were sent ${lag.mean.toFixed(1)} ms after they were due on average (at most ${lag.max.toFixed(0)}): ${concurrencyMax} were under way at once, as --max-concurrency allows; the rows "since due" have the waits.`
            : `WARNING     requests were sent ${lag.mean.toFixed(1)} ms late on average (at most ${lag.max.toFixed(0)}): the client delayed them; use the rows "since due".`,
        ]
      : []),
  ];
}

/** Says that client processes were busy all the time, or died. */
function clientLines(
  { clients, clientCpuSeconds, clientDeaths }: LoadOutcome,
  wallSeconds: number,
): string[] {
  const isBusy = clientCpuSeconds / clients > busyShare * wallSeconds;
  return [
    ...clientDeaths.map(
      ({ client, cause, atSeconds, lost }) =>
        `WARNING     client process ${client} of ${clients} ended after ${atSeconds.toFixed(1)} s (${cause}): its ${counted(lost, 'request')} in flight failed as client_died, and its others were not sent.`,
    ),
    ...(isBusy
      ? [
          `WARNING     the client was busy for most of the run, so it may be what was measured: give --clients ${2 * clients}.`,
        ]
      : []),
  ];
}

/** Says where the steady state begins; empty for a run that is too short to say. */
function steadyLines({ records }: LoadOutcome): string[] {
  if (!isLongEnough(records)) return [];
  const from = steadyFromSeconds(records);
  return [
    from === undefined
      ? 'WARNING     no steady state: latencies still change at the end of the run; send less, or for longer.'
      : `steady      from ${from.toFixed(1)} s on`,
  ];
}

function engineLagLines({ engineLag }: ServeReport): string[] {
  if (engineLag === undefined) return [];
  const { count: lagging, max } = engineLag;
  return [
    `WARNING     ${counted(lagging, 'response')} came from embedded engines that lagged behind their clocks by at most ${max.toFixed(0)} ms of wall-clock time: the machine is too slow for this load.`,
  ];
}

function goodputLines({ limits }: LoadOptions, report: ServeReport): string[] {
  if (report.good === undefined) return [];
  const named = [
    ['TTFT', limits.ttftMs],
    ['TPOT', limits.tpotMs],
    ['E2E', limits.e2eMs],
  ].flatMap(([name, limit]) => (limit === undefined ? [] : [`${name} <= ${limit} ms`]));
  return [
    `goodput     ${rate(report.good / report.durationSeconds)} requests/s: ${count(report.good)} of ${counted(report.completed, 'response')} with ${named.join(', ')}`,
  ];
}

function cacheLines({ report, promptMismatches, outputMismatches }: LoadOutcome): string[] {
  const { cachedTokens, cacheQueriedTokens } = report;
  return [
    cacheQueriedTokens === 0
      ? 'cache       the server does not report cached tokens (vLLM: --enable-prompt-tokens-details)'
      : `cache       ${count(cachedTokens)} of ${count(cacheQueriedTokens)} prompt tokens were cached (${percent(cachedTokens / cacheQueriedTokens, 2)})`,
    ...(promptMismatches === 0
      ? []
      : [
          `lengths     ${counted(promptMismatches, 'prompt')} of another length than asked for by the server's count: is --tokenizer the model's?`,
        ]),
    ...(outputMismatches === 0
      ? []
      : [`lengths     ${counted(outputMismatches, 'response')} of another length than asked for.`]),
  ];
}

function engineLines(report: ServeReport): string[] {
  if (report.engines.size === 0) return [];
  const spread = (by: 'requests' | 'tokens') => loadSpread(report, by)?.toFixed(2) ?? '-';
  return [
    `engines     ${report.engines.size} responded; busiest over mean: ${spread('requests')} of requests, ${spread('tokens')} of prompt tokens`,
    ...[...report.engines].map(
      ([url, { name, requests, tokens }]) =>
        `            ${engineLabel(url, name)}: ${counted(requests, 'request')}, ${counted(tokens, 'token')}`,
    ),
  ];
}

/** For example: `qwen3-8b-1 (http://127.0.0.1:9001)`. */
function engineLabel(url: string, name: string | undefined): string {
  return name === undefined || url.endsWith(`//${name}`) ? url : `${name} (${url})`;
}

function errorLines({ report, records }: LoadOutcome): string[] {
  return [...report.errors].map(([kind, times]) => {
    const example = records.find(({ error }) => error?.kind === kind)?.error?.message ?? '';
    return `errors      ${count(times)} ${kind}, e.g. ${example}`;
  });
}

function cell(value: number | undefined): string {
  if (value === undefined) return '-';
  return value.toFixed(Math.abs(value) < 1000 ? 2 : 0);
}

function rate(value: number | undefined): string {
  if (value === undefined || !Number.isFinite(value)) return '-';
  return value.toFixed(value < 100 ? 2 : 0);
}
