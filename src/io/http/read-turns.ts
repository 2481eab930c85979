// Bounds what is read from engines in one turn of the event loop. For each socket that has data, libuv reads up to 32 times in one
// turn: 2 MiB, from each of hundreds of engines that send at full speed.

/**
 * A millisecond of relaying. Node accepts one connection in each turn, so that a client that comes while hundreds of responses arrive waits
 * for as many turns as there are others before it.
 */
const bytesPerTurnMax = 256 << 10;

/** Reads that take longer to reach these bytes are no flood, and cost no turn of their own. */
const floodMs = 20;

/** A connection that has stopped to read. */
export interface PausedReader {
  /** Reads on, unless somebody else has stopped it meanwhile. */
  readOn(): void;
}

export class ReadTurns {
  readonly #bytesMax: number;
  readonly #inNextTurn: (callback: () => void) => void;
  readonly #nowMs: () => number;
  /** First come, first served. */
  #waiting: PausedReader[] = [];
  #spent = 0;
  #sinceMs = 0;
  #isBegun = false;

  /**
   * @param inNextTurn Calls back in the next turn of the event loop: `setImmediate`.
   * @param bytesMax Bytes of one turn; the last read may go beyond it.
   */
  constructor(
    inNextTurn: (callback: () => void) => void,
    bytesMax = bytesPerTurnMax,
    nowMs = () => performance.now(),
  ) {
    this.#inNextTurn = inNextTurn;
    this.#nowMs = nowMs;
    this.#bytesMax = bytesMax;
  }

  /** Counts a read. @returns Whether the reader may read on; else it is told when it may. */
  spend(bytes: number, reader: PausedReader): boolean {
    this.#spent += bytes;
    if (this.#spent < this.#bytesMax) return true;
    if (!this.#isBegun && this.#isSlow()) return true;
    this.#begin();
    this.#waiting.push(reader);
    return false;
  }

  #isSlow(): boolean {
    const nowMs = this.#nowMs();
    if (nowMs - this.#sinceMs < floodMs) return false;
    this.#sinceMs = nowMs;
    this.#spent = 0;
    return true;
  }

  #begin(): void {
    if (this.#isBegun) return;
    this.#isBegun = true;
    this.#inNextTurn(() => this.#turn());
  }

  #turn(): void {
    this.#isBegun = false;
    this.#spent = 0;
    this.#sinceMs = this.#nowMs();
    if (this.#waiting.length === 0) return;
    // Each of them reads once at least.
    const readers = this.#waiting.splice(0, Math.max(1, this.#bytesMax >>> 16));
    this.#begin();
    for (const reader of readers) reader.readOn();
  }
}
