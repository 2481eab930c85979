// Finds which of many engines acts first: a tournament over their next times.

/**
 * The smallest of `count` times, on ties the one with the lowest index, in logarithmic time per change.
 * All start at infinity.
 *
 * @example
 * const times = new Earliest(3);
 * times.set(1, 5);
 * times.index; // 1
 */
export class Earliest {
  readonly #leaves: number;
  /** A binary tree in an array: node n has children 2n and 2n + 1, the leaves come last. */
  readonly #times: Float64Array;

  constructor(count: number) {
    this.#leaves = 2 ** Math.ceil(Math.log2(Math.max(2, count)));
    this.#times = new Float64Array(2 * this.#leaves).fill(Number.POSITIVE_INFINITY);
  }

  /** The smallest time; infinity if there is none. */
  get seconds(): number {
    return this.#times[1] as number;
  }

  /** Its index; meaningless while `seconds` is infinite. */
  get index(): number {
    const times = this.#times;
    const least = times[1] as number;
    let node = 1;
    while (node < this.#leaves) node = times[2 * node] === least ? 2 * node : 2 * node + 1;
    return node - this.#leaves;
  }

  set(index: number, seconds: number): void {
    const times = this.#times;
    let node = this.#leaves + index;
    times[node] = seconds;
    for (node >>>= 1; node > 0; node >>>= 1) {
      const left = times[2 * node] as number;
      const right = times[2 * node + 1] as number;
      const least = right < left ? right : left;
      if (times[node] === least) return;
      times[node] = least;
    }
  }
}
