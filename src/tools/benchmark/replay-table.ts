// The result of a replay as text for people.
import {
  type LatencySummaries,
  loadSpread,
  type ServeReport,
  type Summary,
  samplesNeeded,
} from '../../core/stats/index.ts';
import type { ReplayOptions, ReplayOutcome } from './run-replay.ts';

/** Client lag beyond this share of the median TTFT is worth a warning. */
const lagShareMax = 0.05;

/** The report, several lines without colour. */
export function replayTable(options: ReplayOptions, outcome: ReplayOutcome): string {
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

function headLines(options: ReplayOptions, outcome: ReplayOutcome): string[] {
  const { report, isPartial, requestCount } = outcome;
  const { timeScale } = options;
  const cutOff = report.errors.get('interrupted') ?? 0;
  const notSent = requestCount - report.completed - report.failed;
  const counts = [
    `${report.completed} of ${requestCount} requests completed`,
    `${report.failed - cutOff} failed`,
    ...(cutOff === 0 ? [] : [`${cutOff} cut off under way`]),
    ...(notSent === 0 ? [] : [`${notSent} not sent`]),
  ];
  return [
    `${isPartial ? 'Interrupted: ' : ''}${counts.join(', ')}, in ${report.durationSeconds.toFixed(1)} s.`,
    ...(timeScale === 1
      ? []
      : [
          `All times are GPU time: ${timeScale} GPU seconds passed per wall second (the run took ${(report.durationSeconds / timeScale).toFixed(1)} s).`,
        ]),
  ];
}

function latencyLines(report: ServeReport, percentiles: readonly number[]): string[] {
  const row = (name: string, summary: Summary | undefined) =>
    [
      name.padEnd(24),
      cell(summary?.mean),
      ...percentiles.map((q, index) => {
        const value = summary?.percentiles[index]?.value;
        return value === null ? `n<${samplesNeeded(q)}`.padStart(11) : cell(value);
      }),
    ].join('');
  const rows = (summaries: LatencySummaries) => [
    row('TTFT', summaries.ttft),
    row('TPOT', summaries.tpot),
    row('ITL', summaries.itl),
    row('E2E', summaries.e2el),
  ];
  const heads = ['mean', ...percentiles.map((q) => `p${q}`)];
  return [
    'milliseconds'.padEnd(24) + heads.map((head) => head.padStart(11)).join(''),
    ...rows(report.fromSent),
    row('TTFT since due', report.fromScheduled.ttft),
    row('E2E since due', report.fromScheduled.e2el),
    row('client lag (sent - due)', report.clientLag),
  ];
}

function rateLines({ timeScale }: ReplayOptions, outcome: ReplayOutcome): string[] {
  const { report } = outcome;
  const wallSeconds = report.durationSeconds / timeScale;
  const perSecond = (count: number) => rate(count / report.durationSeconds);
  const lag = report.clientLag;
  const ttft = report.fromSent.ttft;
  const isLate = lag && ttft && lag.mean > lagShareMax * ttft.median;
  return [
    `offered     ${rate(report.offeredRate)} requests/s, sent ${rate(report.sentRate)}, completed ${perSecond(report.completed)}; at most ${report.peakConcurrency} at once`,
    `tokens      ${perSecond(report.inputTokens)} in/s, ${perSecond(report.outputTokens)} out/s; ${report.peakChunksPerSecond} chunks in the busiest second`,
    `client      ${percent(outcome.clientCpuSeconds / wallSeconds)} of a core`,
    ...engineLagLines(report),
    ...(isLate
      ? [
          `WARNING     requests were sent ${lag.mean.toFixed(1)} ms late on average (at most ${lag.max.toFixed(0)}): the client held them back; read the rows "since due".`,
        ]
      : []),
  ];
}

function engineLagLines({ engineLag }: ServeReport): string[] {
  if (engineLag === undefined) return [];
  const { count, max } = engineLag;
  return [
    `WARNING     ${count} answers came from emulated engines behind their own clocks, by at most ${max.toFixed(0)} ms of wall time: the machine is too slow for this load.`,
  ];
}

function goodputLines({ limits }: ReplayOptions, report: ServeReport): string[] {
  if (report.good === undefined) return [];
  const named = [
    ['TTFT', limits.ttftMs],
    ['TPOT', limits.tpotMs],
    ['E2E', limits.e2eMs],
  ].flatMap(([name, limit]) => (limit === undefined ? [] : [`${name} <= ${limit} ms`]));
  return [
    `goodput     ${rate(report.good / report.durationSeconds)} requests/s: ${report.good} of ${report.completed} answers with ${named.join(', ')}`,
  ];
}

function cacheLines({ report, promptMismatches, outputMismatches }: ReplayOutcome): string[] {
  const { cachedTokens, cacheQueriedTokens } = report;
  return [
    cacheQueriedTokens === 0
      ? 'cache       the server does not report cached tokens (vLLM: --enable-prompt-tokens-details)'
      : `cache       ${cachedTokens} of ${cacheQueriedTokens} prompt tokens were cached (${percent(cachedTokens / cacheQueriedTokens)})`,
    ...(promptMismatches === 0
      ? []
      : [
          `lengths     ${promptMismatches} prompts have another length than the trace's by the server's count: is --tokenizer the model's?`,
        ]),
    ...(outputMismatches === 0
      ? []
      : [`lengths     ${outputMismatches} answers have another length than the trace's.`]),
  ];
}

function engineLines(report: ServeReport): string[] {
  if (report.engines.size === 0) return [];
  const spread = (by: 'requests' | 'tokens') => loadSpread(report, by)?.toFixed(2) ?? '-';
  return [
    `engines     ${report.engines.size}; busiest over mean: ${spread('requests')} of requests, ${spread('tokens')} of prompt tokens`,
    ...[...report.engines].map(
      ([engine, { requests, tokens }]) =>
        `            ${engine}: ${requests} requests, ${tokens} tokens`,
    ),
  ];
}

function errorLines({ report, records }: ReplayOutcome): string[] {
  return [...report.errors].map(([kind, count]) => {
    const example = records.find(({ error }) => error?.kind === kind)?.error?.message ?? '';
    return `errors      ${count} ${kind}, e.g. ${example}`;
  });
}

function cell(value: number | undefined): string {
  if (value === undefined) return '-'.padStart(11);
  return value.toFixed(Math.abs(value) < 1000 ? 2 : 0).padStart(11);
}

function rate(value: number | undefined): string {
  if (value === undefined || !Number.isFinite(value)) return '-';
  return value.toFixed(value < 100 ? 2 : 0);
}

function percent(share: number): string {
  return `${(share * 100).toFixed(2)} %`;
}
