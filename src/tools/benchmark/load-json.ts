// The result of a load as JSON: what the keys of `vllm bench serve` lack, under `spillway`.
import { latencyKeys, loadSpread, type Summary } from '../../core/stats/index.ts';
import type { LoadOptions } from './load-options.ts';
import type { LoadOutcome } from './load-outcome.ts';
import { steadyFromSeconds } from './steady-part.ts';

/** Returns the figures of a run that have no key in `vllm bench serve`. Times are GPU time. */
export function loadJson(options: LoadOptions, outcome: LoadOutcome): Record<string, unknown> {
  const { report } = outcome;
  return {
    time_scale: options.timeScale,
    interrupted: outcome.isPartial,
    stopped_by: stopperOf(outcome),
    offered_rate: report.offeredRate ?? null,
    sent_rate: report.sentRate ?? null,
    client_lag_ms: lagJson(report.clientLag),
    engines_behind: {
      answers: report.engineLag?.count ?? 0,
      max_wall_ms: report.engineLag?.max ?? 0,
    },
    from_schedule: latencyKeys(report.fromScheduled, report.percentiles),
    good: report.good ?? null,
    steady_from_seconds: steadyFromSeconds(outcome.records) ?? null,
    client_cpu_seconds: outcome.clientCpuSeconds,
    clients: outcome.clients,
    client_deaths: outcome.clientDeaths.map(({ client, cause, atSeconds, lost }) => ({
      ...{ client, cause, at_seconds: atSeconds, lost_requests: lost },
    })),
    cached_tokens: report.cachedTokens,
    cache_queried_tokens: report.cacheQueriedTokens,
    prompt_mismatches: outcome.promptMismatches,
    output_mismatches: outcome.outputMismatches,
    errors_by_kind: Object.fromEntries(report.errors),
    emulated_responses: report.emulated,
    engines: Object.fromEntries(report.engines),
    spread_requests: loadSpread(report, 'requests') ?? null,
    spread_prompt_tokens: loadSpread(report, 'tokens') ?? null,
  };
}

function stopperOf({ isServerGone, clientDeaths, isPartial }: LoadOutcome): string | null {
  if (isServerGone) return 'refused connections';
  if (clientDeaths.length > 0) return 'death of a client process';
  return isPartial ? 'signal' : null;
}

function lagJson(lag: Summary | undefined): Record<string, number | null> | null {
  if (lag === undefined) return null;
  const percentiles = lag.percentiles.map(({ q, value }) => [`p${q}`, value] as const);
  return { mean: lag.mean, max: lag.max, ...Object.fromEntries(percentiles) };
}
