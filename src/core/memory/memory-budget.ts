// The memory that a program holds for its clients, as one total. Each use has a share: how full the total may be
// for it to take more. So those with smaller shares give way first, and the rest is left to the others.

/** Bytes held for one use. */
export interface MemoryShare {
  /** Bytes that the use holds. */
  readonly bytes: number;
  /** The total up to which it may take more. */
  readonly totalMax: number;
  /** Whether bytes may be taken. */
  hasRoom(bytes: number): boolean;
  /** Takes bytes if the total stays within the share. @returns Whether it did. */
  take(bytes: number): boolean;
  /** Takes bytes that are held already; the owner makes room for them afterwards, see `MemoryBudget.excess`. */
  force(bytes: number): void;
  give(bytes: number): void;
}

/**
 * @example
 * const memory = new MemoryBudget(1 << 30);
 * const events = memory.share(3 / 4);
 * if (!events.take(length)) passOn(bytes); // others hold 768 MiB
 */
export class MemoryBudget {
  readonly bytesMax: number;
  #bytes = 0;

  /** @param bytesMax Bytes in all; infinite for no bound. */
  constructor(bytesMax: number) {
    this.bytesMax = bytesMax;
  }

  /** Bytes held by all uses. */
  get bytes(): number {
    return this.#bytes;
  }

  /** Bytes that have to be given back; 0 if there is room. */
  get excess(): number {
    return Math.max(0, this.#bytes - this.bytesMax);
  }

  /** @param part Of the total, above 0 and at most 1. */
  share(part: number): MemoryShare {
    const totalMax = this.bytesMax * part;
    let held = 0;
    const add = (bytes: number) => {
      held += bytes;
      this.#bytes += bytes;
    };
    return {
      get bytes() {
        return held;
      },
      totalMax,
      hasRoom: (bytes) => this.#bytes + bytes <= totalMax,
      take: (bytes) => {
        if (this.#bytes + bytes > totalMax) return false;
        add(bytes);
        return true;
      },
      force: add,
      give: (bytes) => add(-bytes),
    };
  }
}
