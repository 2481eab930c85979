// The queue inside an engine, as far as a router knows it, and whether the engine is saturated: whether a
// request that is sent now would only wait there.
import type { EndpointLoad, ReportedLoad } from './contract.ts';

/** When an engine counts as saturated. */
export interface SaturationLimits {
  /** Wait in the engine, in seconds. */
  readonly waitSeconds: number;
  /** Requests that may wait in the engine in any case, so that each of its steps finds enough of them. */
  readonly waitingMin: number;
  /** Prompt tokens that may, for the same reason. */
  readonly prefillTokensMin: number;
  /** Requests that may wait in an engine whose speed is not known yet. */
  readonly waitingMax: number;
  /** Share of the KV cache in use from which requests are taken to wait for memory. */
  readonly kvUsage: number;
}

/**
 * The wait was chosen by simulation (docs/results/admission.md). Of the others, 16,384 tokens are two steps of
 * vLLM's default `max_num_batched_tokens` on an H100, and 128 requests half of its default `max_num_seqs`.
 */
export const defaultSaturationLimits: SaturationLimits = {
  waitSeconds: 2,
  waitingMin: 8,
  prefillTokensMin: 16_384,
  waitingMax: 128,
  kvUsage: 0.95,
};

/** The counts of a router that the queue is computed from. */
interface CountedLoad extends EndpointLoad {
  /** The part of `prefilling` whose first byte marks the end of prefill. */
  readonly prefillingStreams: number;
  /** Requests past their first byte, in total. */
  readonly started: number;
}

/** Share of the KV cache in use up to which a further prompt finds room without evicting much. */
const idleKvUsageMax = 0.9;
/** Time for which a report describes an engine; engines are scraped at least every few seconds. */
const reportSecondsMax = 30;
/** Weight of the interval between two reports in the mean rate. */
const intervalWeight = 0.5;

/** As the engine last reported it, and as the router has changed it since. */
export class EngineQueue {
  /** The last report, and the router's counts at its time. */
  #report: ReportedLoad | undefined = undefined;
  #streams = 0;
  #started = 0;
  /** Of the last report: the object may be used again for the next one. */
  #atSeconds = 0;
  #waiting = 0;
  /** Mean rate at which requests started while others waited. */
  #startsPerSecond: number | undefined = undefined;

  /** @param load The router's counts at that time. */
  reported(report: ReportedLoad | undefined, load: CountedLoad): void {
    const [waitedBefore, startedBefore] = [this.#waiting, this.#started];
    const seconds = (report?.atSeconds ?? 0) - this.#atSeconds;
    this.#report = report;
    this.#streams = load.prefillingStreams;
    this.#started = load.started;
    this.#atSeconds = report?.atSeconds ?? 0;
    this.#waiting = report?.waiting ?? 0;
    // Without a queue, the rate is that of the arrivals.
    if (waitedBefore === 0 || this.#waiting === 0 || seconds <= 0) return;
    const rate = (load.started - startedBefore) / seconds;
    const mean = this.#startsPerSecond ?? rate;
    this.#startsPerSecond = mean + (rate - mean) * intervalWeight;
  }

  /**
   * About how many requests wait in the engine now; undefined without a recent report. What was sent since the
   * report is added, and what has started is subtracted; only streams show when they start.
   */
  waiting(load: CountedLoad, nowSeconds: number): number | undefined {
    if (this.#report === undefined) return undefined;
    if (nowSeconds - this.#atSeconds > reportSecondsMax) return undefined;
    return Math.max(0, this.#waiting + load.prefillingStreams - this.#streams);
  }

  /** Whether a prompt that is sent now would be computed at once: no request waits for its first token or for memory. */
  isIdle(load: CountedLoad, nowSeconds: number): boolean {
    if (load.prefillingStreams > 0 || this.waiting(load, nowSeconds)) return false;
    return this.#kvUsage < idleKvUsageMax;
  }

  /** @param predictedSeconds Wait that the policy predicts; undefined if it does not. */
  isSaturated(
    load: CountedLoad,
    predictedSeconds: number | undefined,
    nowSeconds: number,
    limits: SaturationLimits,
  ): boolean {
    if (predictedSeconds !== undefined && predictedSeconds >= limits.waitSeconds) return true;
    const waiting = this.waiting(load, nowSeconds);
    if (!waiting) return false;
    if (waiting < limits.waitingMin && load.prefillTokens < limits.prefillTokensMin) return false;
    if (this.#kvUsage >= limits.kvUsage) return true;
    const rate = this.#startsPerSecond;
    if (rate !== undefined) return waiting >= rate * limits.waitSeconds;
    return predictedSeconds === undefined && waiting >= limits.waitingMax;
  }

  get #kvUsage(): number {
    return this.#report?.kvUsage ?? 0;
  }
}
