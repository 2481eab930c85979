// What other routers have sent to one engine: what the engine counts, less what was sent from here.
import type { ReportedLoad } from '../../contract.ts';

/** What this router has in flight at an engine. */
export interface OwnLoad {
  readonly inflight: number;
  /** Of these, those without a first byte yet. */
  readonly queued: number;
  /** Until the engine has done their prefill, by our own book. */
  readonly waitSeconds: number;
}

/** A report older than this says nothing about now. */
const reportSecondsMax = 30;
/**
 * Fleets in which so little more is in flight than was sent from here have one router: the rest is
 * what is on its way between engine and router when the engine counts.
 */
const sharedFrom = 1.2;

/**
 * Counts come with the engine's reports, its `num_requests_running` and `num_requests_waiting`; with
 * one router they are 0. Between two reports others are taken to send as we do.
 */
export class ForeignLoad {
  #inflight = 0;
  #queued = 0;
  #freeAtSeconds = 0;
  #reportSeconds = Number.NEGATIVE_INFINITY;

  /** Requests of others. */
  get inflight(): number {
    return this.#inflight;
  }

  /** When the engine has done all prefill that is known of, if others sent some. */
  get freeAtSeconds(): number {
    return this.#freeAtSeconds;
  }

  /** Until then what it reported holds; a second less, as `waitSeconds` asks by a difference. */
  get knownUntilSeconds(): number {
    if (this.#inflight === 0) return Number.POSITIVE_INFINITY;
    return this.#reportSeconds + reportSecondsMax - 1;
  }

  /** Of these, those that wait for their prefill. */
  get queued(): number {
    return this.#queued;
  }

  /** @param prefillSeconds What a request's prefill takes on average. */
  reported(report: ReportedLoad, own: OwnLoad, prefillSeconds: number): void {
    this.#reportSeconds = report.atSeconds;
    this.#inflight = Math.max(0, report.running + report.waiting - own.inflight);
    // While requests wait there is one in prefill, and the engine counts that one as running.
    const queued = report.waiting > 0 ? report.waiting + 1 : 0;
    this.#queued = Math.min(this.#inflight, Math.max(0, queued - own.queued));
    const waitSeconds = this.#queued > 0 ? own.waitSeconds + this.#queued * prefillSeconds : 0;
    this.#freeAtSeconds = report.atSeconds + waitSeconds;
  }

  /**
   * A request of ours joined, and for each of ours some of others.
   *
   * @param seconds What its prefill takes.
   * @param share All requests of the fleet over ours.
   */
  sent(seconds: number, share: number, nowSeconds: number): void {
    if (share < sharedFrom) return;
    this.#freeAtSeconds = Math.max(this.#freeAtSeconds, nowSeconds) + seconds * share;
  }

  /** Seconds until the engine has done all prefill that is known of, ours included; 0 if only ours is. */
  waitSeconds(nowSeconds: number): number {
    if (nowSeconds - this.#reportSeconds > reportSecondsMax) {
      this.#inflight = 0;
      this.#queued = 0;
    }
    return Math.max(0, this.#freeAtSeconds - nowSeconds);
  }
}
