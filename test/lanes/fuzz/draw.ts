// Draws values with a seed, for the generators of requests.
import { type Random, randomInteger, seededRandom } from '../../../src/core/base/index.ts';

/** Makes a value; equal random sources make equal values. */
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

  /** Returns one of the values; calls it if it is a function. */
  make(values: readonly unknown[]): unknown {
    const value = this.pick(values);
    return typeof value === 'function' ? (value as Maker<unknown>)(this) : value;
  }

  list<T>(least: number, most: number, item: Maker<T>): T[] {
    return Array.from({ length: this.integer(least, most) }, () => item(this));
  }
}
