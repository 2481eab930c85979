// Transfers under way on a link, in the order in which they end.
import type { TransferStats } from './contract.ts';
import type { TransferLink } from './transfer-link.ts';

export interface TransferJob {
  readonly endSeconds: number;
  /** Of its own, without waiting for the link. */
  readonly seconds: number;
  readonly bytes: number;
}

/** Bounded by what its owner starts: a tier has as many transfers as it has chunks held by them. */
export class TransferQueue<J extends TransferJob> {
  readonly #link: TransferLink;
  #jobs: J[] = [];
  /** Jobs before this index are done. */
  #next = 0;
  #transfers = 0;
  #bytes = 0;
  #seconds = 0;

  constructor(link: TransferLink) {
    this.#link = link;
  }

  /** When the next one ends; Infinity if there is none. */
  get nextSeconds(): number {
    return this.#jobs[this.#next]?.endSeconds ?? Number.POSITIVE_INFINITY;
  }

  /** Of the transfers that are done. */
  get stats(): TransferStats {
    return { transfers: this.#transfers, bytes: this.#bytes, seconds: this.#seconds };
  }

  /**
   * Takes a place on the link.
   *
   * @param work.bytes What is moved in all.
   * @param work.linkBytes What crosses the link: GPUs of one engine have a link each.
   */
  begin(
    work: { readonly bytes: number; readonly linkBytes: number },
    nowSeconds: number,
  ): TransferJob {
    return {
      endSeconds: this.#link.transfer(work.linkBytes, nowSeconds),
      seconds: this.#link.secondsFor(work.linkBytes),
      bytes: work.bytes,
    };
  }

  add(job: J): void {
    this.#jobs.push(job);
  }

  /** Those that have ended by now, in order. */
  takeDone(nowSeconds: number): readonly J[] {
    const first = this.#next;
    while (this.nextSeconds <= nowSeconds) {
      const { bytes, seconds } = this.#jobs[this.#next++] as J;
      this.#transfers++;
      this.#bytes += bytes;
      this.#seconds += seconds;
    }
    const done = this.#jobs.slice(first, this.#next);
    if (this.#next === this.#jobs.length) this.clear();
    return done;
  }

  /** Forgets those under way; the link stays taken. */
  clear(): void {
    this.#jobs = [];
    this.#next = 0;
  }
}
