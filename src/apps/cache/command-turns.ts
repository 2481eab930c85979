// Divides the work for all clients among turns of the event loop, so that one that asks for very much at once does not keep the others
// waiting.

/**
 * Lines and arguments that are read in one turn. A line of one letter, the shortest command, takes up to 7 µs with its reply, so that a
 * turn is over after 15 ms; a GET is five of them.
 */
const linesPerTurnMax = 2_048;
/**
 * Bytes of values that are checked and written in one turn: 0.3 ms at the speeds of docs/results/cache.md, some milliseconds on a slow
 * machine. Node accepts one connection in each turn, so that the last of many waits as often.
 */
export const bytesPerTurnMax = 1 << 20;
/** What a key that a command looks at costs, in bytes: 1 µs or less, in which 4 KiB are checked and written. */
export const bytesPerKey = 4 << 10;

export class CommandTurns {
  readonly #max: number;
  #spent = 0;
  #isBegun = false;
  /** In order. */
  #waiting: (() => void)[] = [];
  readonly #inNextTurn: (callback: () => void) => void;

  /**
   * @param inNextTurn Calls back in the next turn of the event loop, in order: `setImmediate`.
   * @param max What may be spent in one turn; the last one may go beyond it.
   */
  constructor(inNextTurn: (callback: () => void) => void, max = linesPerTurnMax) {
    this.#inNextTurn = inNextTurn;
    this.#max = max;
  }

  /** Counts a line or an argument, or a number of bytes. @returns Whether another one may follow in this turn. */
  spend(count = 1): boolean {
    this.#begin();
    this.#spent += count;
    return !this.isSpent;
  }

  get isSpent(): boolean {
    return this.#spent >= this.#max;
  }

  /** Calls back in a turn in which there is something to spend, after those that have waited longer. */
  next(callback: () => void): void {
    this.#waiting.push(callback);
    this.#begin();
  }

  #begin(): void {
    if (this.#isBegun) return;
    this.#isBegun = true;
    this.#inNextTurn(() => this.#turn());
  }

  #turn(): void {
    this.#isBegun = false;
    this.#spent = 0;
    const waiting = this.#waiting;
    this.#waiting = [];
    let called = 0;
    while (called < waiting.length && !this.isSpent) (waiting[called++] as () => void)();
    if (called < waiting.length) this.#waiting = [...waiting.slice(called), ...this.#waiting];
    if (this.#waiting.length > 0) this.#begin();
  }
}

/** What spends without end, in one turn: for a writer of its own. */
export const endlessTurns: Pick<CommandTurns, 'spend' | 'isSpent' | 'next'> = {
  ...{ spend: () => true, isSpent: false, next: (callback: () => void) => callback() },
};
