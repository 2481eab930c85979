// Load that other routers put on one engine: the engine's own counts minus the requests of this router.
import type { ReportedLoad } from '../../contract.ts';

/** The requests that this router has in flight at an engine. */
export interface OwnLoad {
  readonly inflight: number;
  /** The part of them without a first byte. */
  readonly queued: number;
  /** Seconds until the engine completes their prefill, according to this router's backlog. */
  readonly waitSeconds: number;
}

/** Reports older than this are ignored. */
const reportSecondsMax = 30;
/**
 * Below this ratio of all requests to ours, the fleet has one router: the difference is requests that
 * were between router and engine when the engine counted.
 */
const sharedFrom = 1.2;

/**
 * Counts come from the engine's reports, `num_requests_running` and `num_requests_waiting`; with one router
 * they are 0. Between two reports, others are assumed to send in proportion to this router.
 */
export class ForeignLoad {
  #inflight = 0;
  #queued = 0;
  #freeAtSeconds = 0;
  #reportSeconds = Number.NEGATIVE_INFINITY;

  /** Requests of other routers. */
  get inflight(): number {
    return this.#inflight;
  }

  /** When the engine completes all known prefill, if others sent any. */
  get freeAtSeconds(): number {
    return this.#freeAtSeconds;
  }

  /** Until when its report is valid; one second less, because `waitSeconds` compares a difference. */
  get knownUntilSeconds(): number {
    if (this.#inflight === 0) return Number.POSITIVE_INFINITY;
    return this.#reportSeconds + reportSecondsMax - 1;
  }

  /** The part of them that waits for prefill. */
  get queued(): number {
    return this.#queued;
  }

  /** @param prefillSeconds Mean duration of a request's prefill. */
  reported(report: ReportedLoad, own: OwnLoad, prefillSeconds: number): void {
    this.#reportSeconds = report.atSeconds;
    this.#inflight = Math.max(0, report.running + report.waiting - own.inflight);
    // While requests wait, one is in prefill, which the engine counts as running.
    const queued = report.waiting > 0 ? report.waiting + 1 : 0;
    this.#queued = Math.min(this.#inflight, Math.max(0, queued - own.queued));
    const waitSeconds = this.#queued > 0 ? own.waitSeconds + this.#queued * prefillSeconds : 0;
    this.#freeAtSeconds = report.atSeconds + waitSeconds;
  }

  /**
   * A request of this router joined, and in proportion some of other routers.
   *
   * @param seconds Duration of its prefill.
   * @param share All requests of the fleet divided by those of this router.
   */
  sent(seconds: number, share: number, nowSeconds: number): void {
    if (share < sharedFrom) return;
    this.#freeAtSeconds = Math.max(this.#freeAtSeconds, nowSeconds) + seconds * share;
  }

  /** Seconds until the engine completes all known prefill, ours included; 0 if only ours is known. */
  waitSeconds(nowSeconds: number): number {
    if (nowSeconds - this.#reportSeconds > reportSecondsMax) {
      this.#inflight = 0;
      this.#queued = 0;
    }
    return Math.max(0, this.#freeAtSeconds - nowSeconds);
  }
}
