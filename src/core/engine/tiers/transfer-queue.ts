// Transfers in progress on a link, in the order in which they end.
import type { TransferStats } from './contract.ts';
import type { TransferLink } from './transfer-link.ts';

export interface TransferJob {
  readonly endSeconds: number;
  /** Its own duration, without waiting for the link. */
  readonly seconds: number;
  readonly bytes: number;
}

/** Bounded by what its owner starts: a tier has at most as many transfers as it has pinned chunks. */
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

  /** Totals of the completed transfers. */
  get stats(): TransferStats {
    return { transfers: this.#transfers, bytes: this.#bytes, seconds: this.#seconds };
  }

  /**
   * Queues a transfer on the link.
   *
   * @param work.bytes Total bytes moved.
   * @param work.linkBytes Bytes that cross the link: each GPU of one engine has its own link.
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

  /** Transfers that have ended by now, in order. */
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

  /** Forgets the transfers in progress; the link stays occupied. */
  clear(): void {
    this.#jobs = [];
    this.#next = 0;
  }
}
