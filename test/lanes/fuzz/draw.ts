// Draws values under a seed: what the generators of requests are made of.
import { type Random, randomInteger, seededRandom } from '../../../src/core/base/index.ts';

/** Makes a value; the same random source makes the same. */
export type Maker<T> = (draw: Draw) => T;

export class Draw {
  readonly #random: Random;

  constructor(seed: number) {
    this.#random = seededRandom(seed);
  }

  chance(probability: number): boolean {
    return this.#random.next() < probability;
  }

  /** Both bounds are included. */
  integer(least: number, most: number): number {
    return least + randomInteger(this.#random, most - least + 1);
  }

  pick<T>(values: readonly T[]): T {
    return values[randomInteger(this.#random, values.length)] as T;
  }

  /** One of the values; a function is called for its value. */
  make(values: readonly unknown[]): unknown {
    const value = this.pick(values);
    return typeof value === 'function' ? (value as Maker<unknown>)(this) : value;
  }

  list<T>(least: number, most: number, item: Maker<T>): T[] {
    return Array.from({ length: this.integer(least, most) }, () => item(this));
  }
}
