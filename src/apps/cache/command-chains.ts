// The order in which a client of Redis' protocol looks values up, loads and stores them.
import type { ClientStore } from '../../core/cache/index.ts';
import { type ChainStep, ChainWatch } from '../../core/eviction/index.ts';

const steps: Readonly<Record<string, ChainStep>> = {
  ...({ EXISTS: 'look up', GET: 'load', MGET: 'load' } as const),
  ...({ SET: 'store', SETEX: 'store', PSETEX: 'store' } as const),
};

export class CommandChains {
  readonly #watch: ChainWatch;

  /** @param storeOf The client's store, which changes with its user. */
  constructor(storeOf: () => ClientStore) {
    this.#watch = new ChainWatch((key, before) => storeOf().follows(key, before));
  }

  /** Takes note of a command that is about to be executed. @param name In capitals. @param args Those after it. */
  saw(name: string, args: readonly string[], store: ClientStore): void {
    const step = steps[name];
    if (step === undefined) return;
    for (const key of name === 'EXISTS' || name === 'MGET' ? args : args.slice(0, 1)) {
      this.#watch.saw(step, key, step === 'store' || store.size(key) !== undefined);
    }
  }
}
