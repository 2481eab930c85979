// The scores of the candidates of a pick: the predicted time to first token, and the cost to other requests, in seconds
// of the request's own wait.
import type { Random } from '../../../base/index.ts';
import type { Endpoint } from '../../contract.ts';
import { type EngineForecast, prefillWork } from './engine-forecast.ts';
import { ForecastRow, type ForecastTable } from './forecast-row.ts';
import type { PrefillSpeed } from './prefill-speed.ts';

/** See `PredictiveOptions`. */
export interface ScoreWeights {
  readonly crowding: number;
  readonly decode: number;
  readonly placement: number;
}

/** Aligned: the engines of a pick, what is known of each, and the offsets of their rows in the table. */
export interface Candidates {
  readonly endpoints: readonly Endpoint[];
  readonly forecasts: readonly EngineForecast[];
  readonly rows: Int32Array;
  /** The speed of all engines of their model. */
  readonly fleet: PrefillSpeed;
}

/** The request, as far as the scores depend on it. */
export interface ScoredPrompt {
  readonly promptTokens: number;
  /** Expected length of its response. */
  readonly outputTokens: number;
  /** Requests that another copy of its cached prefix is expected to serve. */
  readonly copyUsers: number;
}

/** Scores this close to the lowest, as a share of it and in seconds, count as equal to it. */
const tieShare = 0.02;
const tieSeconds = 0.005;
/** With so many expected output tokens in flight at an engine, a second of delay in decode counts half. */
const busyOutputTokens = 20_000;
/**
 * The fleet is short of memory if no engine has room for so many prompts like this one beside those that will be asked
 * for again, and wholly so with room for two less. Then prompts push each other's prefixes out: see the README, "Overload".
 */
const sparePromptsMax = 3;
/**
 * Cost of a second of prefill of an evicted prefix, in seconds of this request's own wait. It is computed again in steps
 * that hold up all responses there, which then occupy memory for longer, and so evict more. Results are flat from 16 to 60.
 */
const evictionWeight = 16;

/** One pick at a time: `begin`, `survey`, `scores`, `best`. Its arrays are reused to avoid garbage. */
export class PickScores {
  readonly #random: Random;
  readonly #weights: ScoreWeights;
  /** A cursor over the rows of the candidates. */
  readonly #row: ForecastRow;
  // One number per candidate.
  #waitSeconds = new Float64Array(8);
  #assignedSeconds = new Float64Array(8);
  #cachedTokens = new Float64Array(8);
  #loadSeconds = new Float64Array(8);
  #ttftSeconds = new Float64Array(8);
  // Over all candidates.
  #leastQueued = 0;
  #mostAssigned = 0;
  #mostCached = 0;
  /** Tokens; infinite if an engine does not report its KV cache. */
  #mostSpare = 0;

  constructor(random: Random, weights: ScoreWeights, table: ForecastTable) {
    this.#random = random;
    this.#weights = weights;
    this.#row = new ForecastRow(table, 0);
  }

  /** @param count Number of candidates. @returns Takes the cached tokens of each, before `survey`. */
  begin(count: number): Float64Array {
    if (this.#waitSeconds.length < count) {
      this.#waitSeconds = new Float64Array(2 * count);
      this.#assignedSeconds = new Float64Array(2 * count);
      this.#cachedTokens = new Float64Array(2 * count);
      this.#loadSeconds = new Float64Array(2 * count);
      this.#ttftSeconds = new Float64Array(2 * count);
    }
    this.#loadSeconds.fill(0, 0, count);
    return this.#cachedTokens;
  }

  /** Takes the time of each candidate's loads, after `begin`; they start at 0. */
  get loadSeconds(): Float64Array {
    return this.#loadSeconds;
  }

  /**
   * Updates all candidates to now, and records the inputs of each score.
   *
   * @param picks Number of all picks so far.
   * @returns The most cached tokens of any.
   */
  survey({ forecasts, rows, fleet }: Candidates, picks: number, now: number): number {
    const count = forecasts.length;
    const row = this.#row;
    const { line } = fleet;
    let leastQueued = Number.POSITIVE_INFINITY;
    let mostAssigned = 1e-9;
    let mostCached = 0;
    let mostSpare = 0;
    for (let i = 0; i < count; i++) {
      const forecast = forecasts[i] as EngineForecast;
      row.at = rows[i] as number;
      row.age(now, line);
      if (
        now >= row.retryAtSeconds &&
        row.inflightRequests === 0 &&
        row.wasPassedOver(picks, count, now)
      ) {
        forecast.tryAgain();
      }
      this.#waitSeconds[i] = row.waitSeconds(now) ?? forecast.waitSeconds(now);
      if (row.queuedRequests < leastQueued) leastQueued = row.queuedRequests;
      const assigned = row.assignedSeconds(now);
      this.#assignedSeconds[i] = assigned;
      if (assigned > mostAssigned) mostAssigned = assigned;
      const cached = this.#cachedTokens[i] as number;
      if (cached > mostCached) mostCached = cached;
      const { spareTokens } = row;
      // An engine that does not report may have room.
      if (spareTokens === Number.NEGATIVE_INFINITY) mostSpare = Number.POSITIVE_INFINITY;
      else if (spareTokens > mostSpare) mostSpare = spareTokens;
    }
    this.#leastQueued = leastQueued;
    this.#mostAssigned = mostAssigned;
    this.#mostCached = mostCached;
    this.#mostSpare = mostSpare;
    return mostCached;
  }

  /** @returns A score per candidate; the lowest is the best. */
  scores({ endpoints, forecasts, rows }: Candidates, prompt: ScoredPrompt, now: number): number[] {
    const { promptTokens, outputTokens, copyUsers } = prompt;
    const weights = this.#weights;
    const mostCached = this.#mostCached;
    const decodeWeight = weights.decode / outputTokens;
    const busyRequests = busyOutputTokens / outputTokens;
    const crowding = weights.crowding + this.#leastQueued;
    const wholeWork = prefillWork(promptTokens, 0);
    const restWork = prefillWork(promptTokens - mostCached, mostCached);
    const shortage = clamped((sparePromptsMax - this.#mostSpare / (promptTokens - mostCached)) / 2);
    const scores = new Array<number>(endpoints.length);
    const row = this.#row;
    for (let i = 0; i < scores.length; i++) {
      const forecast = forecasts[i] as EngineForecast;
      row.at = rows[i] as number;
      const cachedTokens = this.#cachedTokens[i] as number;
      const uncachedTokens = promptTokens - cachedTokens;
      const compute = row.secondsFor(prefillWork(uncachedTokens, cachedTokens));
      const prefill = compute + (this.#loadSeconds[i] as number);
      let wait = this.#waitSeconds[i] as number;
      if (!row.hasRoom(uncachedTokens)) {
        const { reported } = endpoints[i] as Endpoint;
        // Prefill continues while prompts ahead wait for memory, so the longer of both waits counts.
        wait = Math.max(wait, forecast.memorySeconds(reported, uncachedTokens, now));
      }
      let ttft = wait + prefill + row.interferenceSeconds(uncachedTokens);
      // An engine on trial, which alone is in doubt, gets one request at a time.
      if (row.queuedRequests > 0) ttft += row.doubt * prefill;
      let forOthers = 0;
      if (copyUsers > 0) {
        // Computing a prefix that another engine has cached also serves later requests.
        forOthers = (compute - row.secondsFor(restWork)) * (copyUsers / (1 + copyUsers));
      }
      let evicted = 0;
      if (shortage > 0) {
        const lost = Math.max(forecast.cachedShare, row.evictingShare(uncachedTokens));
        evicted = shortage * lost * prefill * row.inflightRequests;
      }
      const charged = prefill - forOthers;
      const decodeDelay = row.decodeDelaySeconds(charged, promptTokens, outputTokens);
      const busyness = 1 + row.inflightRequests / busyRequests;
      const whole = row.secondsFor(wholeWork);
      const placement = (whole * (this.#assignedSeconds[i] as number)) / this.#mostAssigned;
      this.#ttftSeconds[i] = ttft;
      scores[i] =
        ttft -
        forOthers +
        crowding * charged +
        evictionWeight * evicted +
        Math.min(1, decodeWeight / busyness) * decodeDelay +
        weights.placement * placement;
    }
    return scores;
  }

  /**
   * Index of the best candidate: of those whose scores are as good as equal, the one with the least recent prefill; further
   * ties are broken at random.
   */
  best(scores: readonly number[]): number {
    let least = Number.POSITIVE_INFINITY;
    for (let i = 0; i < scores.length; i++) {
      if ((scores[i] as number) < least) least = scores[i] as number;
    }
    return this.#leastAssigned(scores, least * (1 + tieShare) + tieSeconds);
  }

  cachedTokensOf(index: number): number {
    return this.#cachedTokens[index] as number;
  }

  ttftSecondsOf(index: number): number {
    return this.#ttftSeconds[index] as number;
  }

  waitSecondsOf(index: number): number {
    return this.#waitSeconds[index] as number;
  }

  #leastAssigned(scores: readonly number[], reach: number): number {
    let best = -1;
    let least = 0;
    let equals = 1;
    for (let i = 0; i < scores.length; i++) {
      if ((scores[i] as number) > reach) continue;
      const assigned = this.#assignedSeconds[i] as number;
      if (best === -1 || assigned < least) {
        best = i;
        least = assigned;
        equals = 1;
      } else if (assigned === least) {
        // Reservoir sampling: each of k equals ends up chosen with chance 1/k.
        equals += 1;
        if (this.#random.next() * equals < 1) best = i;
      }
    }
    return best;
  }
}

/** Limits a share to 0 to 1. */
function clamped(share: number): number {
  return Math.min(1, Math.max(0, share));
}
