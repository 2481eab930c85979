// A way that data takes: one transfer after the other, each at the full rate.

export interface TransferLinkOptions {
  /** Infinity for a link that takes no time. */
  readonly bytesPerSecond: number;
  /** From asking for a transfer to its first byte. @default 0 */
  readonly latencySeconds?: number;
}

/**
 * First come, first served, as vLLM's worker queues its copies of one direction. Engines on one
 * clock may share a link: who asks later waits for all before.
 *
 * @see vllm/v1/kv_offload/cpu/gpu_worker.py: "its stream will start executing only after the
 *   streams of previous transfers have finished"
 */
export class TransferLink {
  readonly #bytesPerSecond: number;
  readonly #latencySeconds: number;
  #freeSeconds = 0;

  constructor({ bytesPerSecond, latencySeconds = 0 }: TransferLinkOptions) {
    if (!(bytesPerSecond > 0) || !(latencySeconds >= 0)) {
      throw new RangeError(`No link has ${bytesPerSecond} bytes/s and ${latencySeconds} s latency`);
    }
    this.#bytesPerSecond = bytesPerSecond;
    this.#latencySeconds = latencySeconds;
  }

  /** How long a transfer takes that waits for no other. */
  secondsFor(bytes: number): number {
    return this.#latencySeconds + bytes / this.#bytesPerSecond;
  }

  /** Queues a transfer that could begin now. @returns When it ends. */
  transfer(bytes: number, nowSeconds: number): number {
    this.#freeSeconds = Math.max(nowSeconds, this.#freeSeconds) + this.secondsFor(bytes);
    return this.#freeSeconds;
  }
}
