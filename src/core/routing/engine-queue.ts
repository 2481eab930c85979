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

/** A report, and the router's counts at its time. */
interface Seen {
  readonly report: ReportedLoad;
  readonly streams: number;
  readonly started: number;
}

/** As the engine last reported it, and as the router has changed it since. */
export class EngineQueue {
  #last: Seen | undefined = undefined;
  /** Mean rate at which requests started while others waited. */
  #startsPerSecond: number | undefined = undefined;

  /** @param load The router's counts at that time. */
  reported(report: ReportedLoad | undefined, load: CountedLoad): void {
    const before = this.#last;
    const { prefillingStreams: streams, started } = load;
    this.#last = report && { report, streams, started };
    // Without a queue, the rate is that of the arrivals.
    if (!before?.report.waiting || !report?.waiting) return;
    const seconds = report.atSeconds - before.report.atSeconds;
    if (seconds <= 0) return;
    const rate = (started - before.started) / seconds;
    const mean = this.#startsPerSecond ?? rate;
    this.#startsPerSecond = mean + (rate - mean) * intervalWeight;
  }

  /**
   * About how many requests wait in the engine now; undefined without a recent report. What was sent since the
   * report is added, and what has started is subtracted; only streams show when they start.
   */
  waiting(load: CountedLoad, nowSeconds: number): number | undefined {
    if (this.#last === undefined) return undefined;
    const { report, streams } = this.#last;
    if (nowSeconds - report.atSeconds > reportSecondsMax) return undefined;
    return Math.max(0, report.waiting + load.prefillingStreams - streams);
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
    return this.#last?.report.kvUsage ?? 0;
  }
}
