// What operators of a fleet of LMCache servers have set: keys that stay in the shared store, and how much each tenant may have there.
import { InputError } from '../base/index.ts';
import { type ChunkKey, nameOfChunk } from './chunk-key.ts';

/** Pinned keys; more are refused. */
const pinsMax = 1_000_000;
/** Tenants with a quota; more are refused. */
const quotasMax = 65_536;

/** Keys that are not evicted from the shared store, each with the number of its pins, in the order of their first. */
export class PinTable {
  readonly #pins = new Map<string, { readonly key: ChunkKey; count: number }>();

  /** @throws {InputError} If there are too many. */
  pin(keys: readonly ChunkKey[]): void {
    if (this.#pins.size + keys.length > pinsMax) {
      throw new InputError(`At most ${pinsMax} keys can be pinned.`);
    }
    for (const key of keys) {
      const name = nameOfChunk(key);
      const pin = this.#pins.get(name);
      if (pin === undefined) this.#pins.set(name, { key, count: 1 });
      else pin.count++;
    }
  }

  /** Takes one pin of each key away. */
  unpin(keys: readonly ChunkKey[]): void {
    for (const key of keys) {
      const name = nameOfChunk(key);
      const pin = this.#pins.get(name);
      if (pin !== undefined && --pin.count === 0) this.#pins.delete(name);
    }
  }

  /** Takes all pins of the keys away. */
  drop(keys: readonly ChunkKey[]): void {
    for (const key of keys) this.#pins.delete(nameOfChunk(key));
  }

  has(key: ChunkKey): boolean {
    return this.#pins.has(nameOfChunk(key));
  }

  /** @param wanted Empty texts match all. */
  list(wanted: { readonly salt: string; readonly model: string }) {
    return [...this.#pins.values()].filter(
      ({ key }) =>
        (wanted.salt === '' || key.cache_salt === wanted.salt) &&
        (wanted.model === '' || key.model_name === wanted.model),
    );
  }
}

/** Bytes that each tenant (`cache_salt`) may have in the shared store. */
export class Quotas {
  readonly #limits = new Map<string, number>();
  /** For tenants without one of their own; undefined: no limit. */
  defaultBytes: number | undefined;

  /** @throws {InputError} If there are too many. */
  set(salt: string, bytes: number): void {
    if (!this.#limits.has(salt) && this.#limits.size >= quotasMax) {
      throw new InputError(`At most ${quotasMax} tenants can have a quota.`);
    }
    this.#limits.set(salt, bytes);
  }

  /** @returns Whether there was one. */
  delete(salt: string): boolean {
    return this.#limits.delete(salt);
  }

  get(salt: string): number | undefined {
    return this.#limits.get(salt);
  }

  get salts(): readonly string[] {
    return [...this.#limits.keys()];
  }

  /** Undefined for no limit. */
  limitOf(salt: string): number | undefined {
    return this.#limits.get(salt) ?? this.defaultBytes;
  }
}
