// Draws whether a fault occurs, and counts the occurrences.
import type { Random } from '../base/index.ts';
import type { FaultName, FaultOptions } from './fault-options.ts';

export class FaultDice {
  readonly random: Random;
  readonly #faults: FaultOptions;
  readonly #struck = new Map<FaultName, number>();

  constructor(random: Random, faults: FaultOptions) {
    this.random = random;
    this.#faults = faults;
  }

  /** Number of occurrences of each fault. */
  get struck(): ReadonlyMap<FaultName, number> {
    return this.#struck;
  }

  /** @returns The settings of the fault if it occurs now. */
  draw<Name extends FaultName>(name: Name): FaultOptions[Name] | undefined {
    const fault = this.#faults[name];
    if (fault === undefined || this.random.next() >= fault.probability) return undefined;
    this.#struck.set(name, (this.#struck.get(name) ?? 0) + 1);
    return fault;
  }
}
