// Which block of a pool holds a key: a table of fixed size on typed arrays, because a simulation
// looks up, adds and drops millions of keys, and a Map that loses as many keys as it gets is rebuilt
// again and again.
import type { BlockKey } from './block-pool.ts';

const empty = 0;

/**
 * One block for each key. Numbers, which simulations use, lie in open addressing with linear
 * probing, a slot holding a block, whose key the pool knows; block 0 has none, so 0 marks an empty
 * slot. Other keys lie in a Map.
 */
export class OldestBlocks {
  readonly #keys: readonly (BlockKey | undefined)[];
  /** Twice as many as blocks, rounded up to a power of two; made with the first number. */
  #slots: Int32Array | undefined;
  #mask = 0;
  #shift = 0;
  #numbers = 0;
  readonly #others = new Map<BlockKey, number>();

  /** @param keys By block; an entry must stand from `add` until after `delete` or `replace`. */
  constructor(keys: readonly (BlockKey | undefined)[]) {
    this.#keys = keys;
  }

  /** Keys in it. */
  get size(): number {
    return this.#numbers + this.#others.size;
  }

  get(key: BlockKey): number | undefined {
    if (typeof key !== 'number') return this.#others.get(key);
    const slots = this.#slots;
    if (slots === undefined) return undefined;
    for (let slot = this.#home(key); ; slot = (slot + 1) & this.#mask) {
      const block = slots[slot] as number;
      if (block === empty) return undefined;
      if (this.#keys[block] === key) return block;
    }
  }

  /** A key that is not in it yet. */
  add(key: BlockKey, block: number): void {
    if (typeof key !== 'number') {
      this.#others.set(key, block);
      return;
    }
    const slots = this.#slots ?? this.#makeSlots();
    let slot = this.#home(key);
    while (slots[slot] !== empty) slot = (slot + 1) & this.#mask;
    slots[slot] = block;
    this.#numbers++;
  }

  /** Gives the key to another block, which has it too. */
  replace(key: BlockKey, from: number, to: number): void {
    if (typeof key === 'number') (this.#slots as Int32Array)[this.#slotOf(key, from)] = to;
    else this.#others.set(key, to);
  }

  delete(key: BlockKey, block: number): void {
    if (typeof key !== 'number') {
      this.#others.delete(key);
      return;
    }
    const slots = this.#slots as Int32Array;
    const mask = this.#mask;
    let hole = this.#slotOf(key, block);
    // Later entries of the run move back, so that no probe stops short.
    for (let slot = (hole + 1) & mask; slots[slot] !== empty; slot = (slot + 1) & mask) {
      const home = this.#home(this.#keys[slots[slot] as number] as number);
      if (((slot - home) & mask) >= ((slot - hole) & mask)) {
        slots[hole] = slots[slot] as number;
        hole = slot;
      }
    }
    slots[hole] = empty;
    this.#numbers--;
  }

  clear(): void {
    this.#slots?.fill(empty);
    this.#numbers = 0;
    this.#others.clear();
  }

  #slotOf(key: number, block: number): number {
    const slots = this.#slots as Int32Array;
    let slot = this.#home(key);
    while (slots[slot] !== block) slot = (slot + 1) & this.#mask;
    return slot;
  }

  /** Knuth's multiplicative hash, whose high bits spread runs of numbers evenly. */
  #home(key: number): number {
    const low = key | 0;
    // Most keys fit in 32 bits: no division then.
    const mixed = low === key ? low : low ^ Math.imul(Math.floor(key / 2 ** 32), 0x85ebca6b);
    return Math.imul(mixed, 0x9e3779b1) >>> this.#shift;
  }

  #makeSlots(): Int32Array {
    const length = 2 ** Math.ceil(Math.log2(2 * this.#keys.length));
    this.#slots = new Int32Array(length).fill(empty);
    this.#mask = length - 1;
    this.#shift = 32 - Math.log2(length);
    return this.#slots;
  }
}
