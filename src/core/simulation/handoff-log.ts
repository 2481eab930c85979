// Outcomes of prompts that were computed on one engine of a simulated fleet and decoded on another, in
// the order of arrival of their requests.
import type { KvRead } from '../engine/index.ts';

/** Arrays are by request, in order of arrival; NaN where no prompt was handed over. */
export interface HandoffResults {
  /** Engine that computed the prompt last; −1 for none. */
  readonly prefillEngineOf: Int32Array;
  /** From the arrival to the response of that engine: its queue, and the prefill. */
  readonly prefillSeconds: Float64Array;
  /** From there until the reader had blocks: the way through the router, and the reader's queue. */
  readonly waitSeconds: Float64Array;
  /** From the start of the read to its end. */
  readonly transferSeconds: Float64Array;
  readonly transferBytes: Float64Array;
  /** Prompts that were to be read and were not, because the engine that held them failed. */
  readonly lost: number;
  /** Requests that were sent directly to a decode engine, because little was to be computed. */
  readonly skipped: number;
}

/** About 40 bytes per request. */
export class HandoffLog {
  readonly #prefillEngineOf: number[] = [];
  readonly #prefilled: number[] = [];
  readonly #readStart: number[] = [];
  readonly #readEnd: number[] = [];
  readonly #bytes: number[] = [];
  lost = 0;
  skipped = 0;

  prefilled(index: number, engine: number, nowSeconds: number): void {
    this.#prefillEngineOf[index] = engine;
    this.#prefilled[index] = nowSeconds;
  }

  read(index: number, { startSeconds, endSeconds, bytes }: KvRead): void {
    this.#readStart[index] = startSeconds;
    this.#readEnd[index] = endSeconds;
    this.#bytes[index] = bytes;
  }

  results(arrivalSeconds: Float64Array): HandoffResults {
    const by = (of: (index: number) => number) =>
      Float64Array.from(arrivalSeconds, (_, i) => of(i));
    const at = (times: readonly number[], index: number) => times[index] ?? Number.NaN;
    return {
      prefillEngineOf: Int32Array.from(arrivalSeconds, (_, i) => this.#prefillEngineOf[i] ?? -1),
      prefillSeconds: by((i) => at(this.#prefilled, i) - (arrivalSeconds[i] as number)),
      waitSeconds: by((i) => at(this.#readStart, i) - at(this.#prefilled, i)),
      transferSeconds: by((i) => at(this.#readEnd, i) - at(this.#readStart, i)),
      transferBytes: by((i) => at(this.#bytes, i)),
      lost: this.lost,
      skipped: this.skipped,
    };
  }
}
