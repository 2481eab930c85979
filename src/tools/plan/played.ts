// Figures of a simulated fleet over a window of the run, after the warm-up.
import {
  backlogGrowth,
  type FleetSimulationResult,
  overloadedGrowth,
} from '../../core/simulation/index.ts';
import { percentile } from '../../core/stats/index.ts';

export interface Played {
  /** Output tokens per second. */
  readonly throughput: number;
  readonly ttftMs: number;
  readonly tpotMs: number;
  readonly e2eMs: number;
  readonly goodput: number;
  readonly hitRate: number;
  readonly kvUseP99: number;
  readonly preemptionsPerMinute: number;
  /** Tokens computed again after an eviction or a preemption, over all prompt tokens computed. */
  readonly redundantPrefill: number;
  readonly isOverloaded: boolean;
  /** Mean number of requests in flight. */
  readonly concurrency: number;
}

/** Goals; every request meets an undefined one. */
export interface Slo {
  readonly ttftMs?: number | undefined;
  readonly tpotMs?: number | undefined;
  readonly e2eMs?: number | undefined;
}

export interface PlayedOptions {
  /** Tokens of each response, in order of arrival. */
  readonly outputs: readonly number[];
  readonly slo: Slo;
  /** Number of requests without the initial ones that fill caches, and the number of those. */
  readonly requests: number;
  readonly primed: number;
  /** Prompt tokens of those. */
  readonly primedTokens: number;
  /** Number of clients of a closed loop. */
  readonly clients: number | undefined;
  /** Time from the client to the engine's queue, which the simulation leaves out. */
  readonly wayInSeconds: number;
}

/** Share of initial requests that are not counted, because caches are cold and queues empty. */
const warmUpShare = 0.3;
/** The same at a rate, where as many conversations must end as begin. */
const warmUpShareAtRate = 0.5;
/** Additional warm-up of a closed loop, in rounds of the clients. */
const warmUpRounds = 1.2;

/**
 * Computes the figures over the window from the first request after the warm-up to the last one sent. A request
 * counts by the share of its time within the window, which keeps edge effects small in runs of a few rounds.
 */
export function playedOf(result: FleetSimulationResult, options: PlayedOptions): Played {
  const { outputs, slo, clients, wayInSeconds } = options;
  const { arrivalSeconds, ttftSeconds, e2eSeconds, promptTokens, cachedTokens } = result;
  const count = arrivalSeconds.length;
  const first = firstCounted(count, options);
  const start = arrivalSeconds[first] as number;
  const end = arrivalSeconds[count - 1] as number;
  const seconds = Math.max(end - start, 1e-9);
  const isOverloaded =
    clients === undefined &&
    backlogGrowth(result.waitingAtArrival, arrivalSeconds) > overloadedGrowth;
  // An overloaded fleet has served few requests when the last one arrives: its throughput is measured until all
  // are served, and requests count fully.
  const outputEnd = isOverloaded ? Math.max(result.seconds, start + 1e-9) : start + seconds;
  const window = { start, end: outputEnd };
  const [ttft, whole, prompt] = [
    new Mean(),
    { tpot: new Mean(), e2e: new Mean(), good: new Mean() },
    new Mean(),
  ];
  let [output, inFlight] = [0, 0];
  for (let i = options.primed; i < count; i++) {
    const [sent, toFirst, toLast] = [arrivalSeconds[i], ttftSeconds[i], e2eSeconds[i]] as [
      number,
      number,
      number,
    ];
    if (Number.isNaN(toLast)) continue;
    const tokens = outputs[i] as number;
    output += tokens * shareIn(window, sent + toFirst, sent + toLast);
    const weight = isOverloaded ? Number(i >= first) : shareIn(window, sent, sent + toLast);
    const tpot = (toLast - toFirst) / Math.max(1, tokens - 1);
    const times = { ttft: wayInSeconds + toFirst, tpot, e2e: wayInSeconds + toLast };
    whole.tpot.add(tpot, weight);
    whole.e2e.add(times.e2e, weight);
    whole.good.add(meets(slo, times) ? 1 : 0, weight);
    inFlight += weight * toLast;
    if (i < first) continue;
    ttft.add(times.ttft, 1);
    prompt.add(
      (cachedTokens[i] as number) / (promptTokens[i] as number),
      promptTokens[i] as number,
    );
  }
  const kvUse = result.series
    .filter(({ atSeconds }) => atSeconds >= start && atSeconds <= end)
    .map(({ kvUsage }) => Math.max(...kvUsage))
    .toSorted((a, b) => a - b);
  return {
    throughput: output / (outputEnd - start),
    ttftMs: ttft.value * 1000,
    tpotMs: whole.tpot.value * 1000,
    e2eMs: whole.e2e.value * 1000,
    goodput: whole.good.value,
    hitRate: prompt.value,
    kvUseP99: kvUse.length > 0 ? percentile(kvUse, 99) : 0,
    preemptionsPerMinute: (result.preemptions / Math.max(result.seconds, 1e-9)) * 60,
    redundantPrefill: redundantPrefill(result, options.primedTokens),
    isOverloaded,
    concurrency: inFlight / seconds,
  };
}

function redundantPrefill({ engines }: FleetSimulationResult, primedTokens: number): number {
  let [computed, again] = [-primedTokens, 0];
  for (const engine of engines) {
    const { recomputedAfterPreemption, recomputedAfterEviction = 0 } = engine;
    computed += engine.computedTokens + recomputedAfterPreemption;
    again += recomputedAfterPreemption + recomputedAfterEviction;
  }
  return computed <= 0 ? 0 : again / computed;
}

function firstCounted(count: number, { requests, clients, primed }: PlayedOptions): number {
  const share = clients === undefined ? warmUpShareAtRate : warmUpShare;
  const warmUp = primed + Math.max(requests * share, (clients ?? 0) * warmUpRounds);
  return Math.min(Math.floor((count + primed) / 2), Math.floor(warmUp));
}

/** Returns the share of an interval that lies within the window; 1 or 0 for a single moment. */
function shareIn(
  { start, end }: { readonly start: number; readonly end: number },
  from: number,
  to: number,
): number {
  if (to <= from) return from > start && from <= end ? 1 : 0;
  return Math.max(0, Math.min(to, end) - Math.max(from, start)) / (to - from);
}

/** A weighted mean; 0 without values. */
class Mean {
  #sum = 0;
  #weight = 0;

  add(value: number, weight: number): void {
    this.#sum += value * weight;
    this.#weight += weight;
  }

  get value(): number {
    return this.#weight === 0 ? 0 : this.#sum / this.#weight;
  }
}

function meets(
  { ttftMs = Infinity, tpotMs = Infinity, e2eMs = Infinity }: Slo,
  { ttft, tpot, e2e }: { readonly ttft: number; readonly tpot: number; readonly e2e: number },
): boolean {
  return ttft * 1000 <= ttftMs && tpot * 1000 <= tpotMs && e2e * 1000 <= e2eMs;
}
