// A link for data: one transfer after the other, each at the full rate; or, to an object store, many
// concurrent requests, each at its own rate.

export interface TransferLinkOptions {
  /** Infinity for a link that takes no time. */
  readonly bytesPerSecond: number;
  /** Time from the start of a transfer to its first byte. @default 0 */
  readonly latencySeconds?: number;
  /** For a store that serves many requests concurrently. */
  readonly requests?: {
    /** Maximum concurrent requests of one client. */
    readonly atOnceMax: number;
    /** Rate of a single request. */
    readonly bytesPerSecond: number;
  };
}

/**
 * First come, first served, as vLLM's worker queues its copies of one direction. Engines on one clock may
 * share a link: a later transfer waits for all earlier ones. With `requests` a transfer takes as many
 * rounds of requests as it needs, each with the latency, while all clients share the link's rate.
 *
 * @see vllm/v1/kv_offload/cpu/gpu_worker.py: "its stream will start executing only after the
 *   streams of previous transfers have finished"
 */
export class TransferLink {
  readonly #options: TransferLinkOptions;
  readonly #latencySeconds: number;
  #freeSeconds = 0;

  constructor(options: TransferLinkOptions) {
    const { bytesPerSecond, latencySeconds = 0, requests } = options;
    if (!(bytesPerSecond > 0) || !(latencySeconds >= 0)) {
      throw new RangeError(
        `A link cannot have ${bytesPerSecond} bytes/s and ${latencySeconds} s latency`,
      );
    }
    if (requests && !(requests.atOnceMax >= 1 && requests.bytesPerSecond > 0)) {
      throw new RangeError(
        `A store cannot serve ${requests.atOnceMax} concurrent requests at ${requests.bytesPerSecond} bytes/s`,
      );
    }
    this.#options = options;
    this.#latencySeconds = latencySeconds;
  }

  /** Duration of a transfer that does not have to wait for another. */
  secondsFor(bytes: number, requests = 1): number {
    const { bytesPerSecond, requests: many } = this.#options;
    const wholeSeconds = this.#latencySeconds + bytes / bytesPerSecond;
    if (many === undefined) return wholeSeconds;
    const rounds = Math.ceil(requests / many.atOnceMax);
    const roundSeconds = this.#latencySeconds + bytes / requests / many.bytesPerSecond;
    return Math.max(wholeSeconds, rounds * roundSeconds);
  }

  /** Time until a transfer would be done if it started now. */
  estimateSeconds(bytes: number, nowSeconds: number, requests = 1): number {
    return Math.max(0, this.#freeSeconds - nowSeconds) + this.secondsFor(bytes, requests);
  }

  /**
   * Queues a transfer that could start now.
   *
   * @param requests Number of requests that it is split into, where that matters.
   * @returns When it ends.
   */
  transfer(bytes: number, nowSeconds: number, requests = 1): number {
    const { bytesPerSecond, requests: many } = this.#options;
    const beginSeconds = Math.max(nowSeconds, this.#freeSeconds);
    if (many === undefined) {
      this.#freeSeconds = beginSeconds + this.secondsFor(bytes);
      return this.#freeSeconds;
    }
    // Other transfers wait for the shared rate, not for the latency of this one.
    this.#freeSeconds = beginSeconds + bytes / bytesPerSecond;
    const ownSeconds = this.secondsFor(bytes, requests);
    return Math.max(this.#freeSeconds + this.#latencySeconds, nowSeconds + ownSeconds);
  }
}
