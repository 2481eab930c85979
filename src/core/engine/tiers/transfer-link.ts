// A way that data takes: one transfer after the other, each at the full rate; or, to an object store,
// many requests at once, each at a rate of its own.

export interface TransferLinkOptions {
  /** Infinity for a link that takes no time. */
  readonly bytesPerSecond: number;
  /** From asking for a transfer to its first byte. @default 0 */
  readonly latencySeconds?: number;
  /** For a store that answers many requests at once. */
  readonly requests?: {
    /** Under way at once, of one client. */
    readonly atOnceMax: number;
    /** Rate of a single one. */
    readonly bytesPerSecond: number;
  };
}

/**
 * First come, first served, as vLLM's worker queues its copies of one direction. Engines on one
 * clock may share a link: who asks later waits for all before. With `requests` a transfer takes as many
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
      throw new RangeError(`No link has ${bytesPerSecond} bytes/s and ${latencySeconds} s latency`);
    }
    if (requests && !(requests.atOnceMax >= 1 && requests.bytesPerSecond > 0)) {
      throw new RangeError(
        `No store answers ${requests.atOnceMax} requests at once at ${requests.bytesPerSecond} bytes/s`,
      );
    }
    this.#options = options;
    this.#latencySeconds = latencySeconds;
  }

  /** How long a transfer takes that waits for no other. */
  secondsFor(bytes: number, requests = 1): number {
    const { bytesPerSecond, requests: many } = this.#options;
    const wholeSeconds = this.#latencySeconds + bytes / bytesPerSecond;
    if (many === undefined) return wholeSeconds;
    const rounds = Math.ceil(requests / many.atOnceMax);
    const roundSeconds = this.#latencySeconds + bytes / requests / many.bytesPerSecond;
    return Math.max(wholeSeconds, rounds * roundSeconds);
  }

  /** How long until one would be done that began now. */
  estimateSeconds(bytes: number, nowSeconds: number, requests = 1): number {
    return Math.max(0, this.#freeSeconds - nowSeconds) + this.secondsFor(bytes, requests);
  }

  /**
   * Queues a transfer that could begin now.
   *
   * @param requests Into which it is cut, where that matters.
   * @returns When it ends.
   */
  transfer(bytes: number, nowSeconds: number, requests = 1): number {
    const { bytesPerSecond, requests: many } = this.#options;
    const beginSeconds = Math.max(nowSeconds, this.#freeSeconds);
    if (many === undefined) {
      this.#freeSeconds = beginSeconds + this.secondsFor(bytes);
      return this.#freeSeconds;
    }
    // What others wait for is the shared rate, not the latency of this one.
    this.#freeSeconds = beginSeconds + bytes / bytesPerSecond;
    const ownSeconds = this.secondsFor(bytes, requests);
    return Math.max(this.#freeSeconds + this.#latencySeconds, nowSeconds + ownSeconds);
  }
}
