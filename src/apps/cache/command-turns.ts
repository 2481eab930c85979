// Divides the commands of all Redis clients among turns of the event loop, so that a client that sends very many at once does not keep
// the others waiting.

/**
 * Lines and arguments that are read in one turn. A line of one letter, the shortest command, takes up to 7 µs with its reply, so that a
 * turn is over after 15 ms; a GET is five of them.
 */
const linesPerTurnMax = 2_048;

export class CommandTurns {
  #lines = 0;
  readonly #inNextTurn: (callback: () => void) => void;

  /** @param inNextTurn Calls back in the next turn of the event loop, in order: `setImmediate`. */
  constructor(inNextTurn: (callback: () => void) => void) {
    this.#inNextTurn = inNextTurn;
  }

  /** Counts a line or an argument. @returns Whether another one may be read in this turn. */
  spend(): boolean {
    if (this.#lines === 0) {
      this.#inNextTurn(() => {
        this.#lines = 0;
      });
    }
    this.#lines++;
    return this.#lines < linesPerTurnMax;
  }

  /** Calls back when lines may be read again. */
  next(callback: () => void): void {
    this.#inNextTurn(callback);
  }
}
