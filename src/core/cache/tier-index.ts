// The index of a tier below memory: which values it has, in the order of use, and what has to go for a new one.
import type { Clock } from '../base/index.ts';
import type { StoredValue } from './lower-tier.ts';
import { ScanOrder, type ScanStep } from './scan-order.ts';

/** A client that was told of a value reads it within this time. */
const heldSeconds = 10;
/** Entries that an eviction looks at. */
const looksMax = 1024;

/** A value with its file or object. */
export interface PlacedValue extends StoredValue {
  readonly path: string;
  /** Bytes that it takes in the tier. */
  readonly fileBytes: number;
}

/** Bounded by the bytes and the number of files. */
export class TierIndex {
  readonly #wallClock: Clock;
  readonly #bytesMax: number;
  readonly #filesMax: number;
  /** Least recently used first. */
  readonly #values = new Map<string, PlacedValue>();
  readonly #serials = new Map<string, number>();
  readonly #heldUntil = new Map<string, number>();
  readonly #scanOrder = new ScanOrder();
  #bytes = 0;

  constructor(options: {
    readonly wallClock: Clock;
    readonly bytesMax: number;
    readonly filesMax: number;
  }) {
    this.#wallClock = options.wallClock;
    this.#bytesMax = options.bytesMax;
    this.#filesMax = options.filesMax;
  }

  get bytes(): number {
    return this.#bytes;
  }

  get entries(): number {
    return this.#values.size;
  }

  keys(): Iterable<string> {
    return this.#values.keys();
  }

  /** Also a value whose time is over. */
  get(key: string): PlacedValue | undefined {
    return this.#values.get(key);
  }

  isExpired(value: StoredValue): boolean {
    return value.expiresUnixSeconds <= this.#wallClock.nowSeconds();
  }

  add(value: PlacedValue): void {
    this.remove(value.key);
    this.#values.set(value.key, value);
    this.#serials.set(value.key, this.#scanOrder.add(value.key));
    this.#bytes += value.fileBytes;
  }

  touch(value: StoredValue): void {
    const known = this.#values.get(value.key);
    if (known === undefined) return;
    this.#values.delete(value.key);
    this.#values.set(value.key, known);
  }

  hold(value: StoredValue): void {
    const now = this.#wallClock.nowSeconds();
    this.#heldUntil.delete(value.key);
    this.#heldUntil.set(value.key, now + heldSeconds);
    for (const [key, until] of this.#heldUntil) {
      if (until > now && this.#heldUntil.size <= looksMax) break;
      this.#heldUntil.delete(key);
    }
    this.touch(value);
  }

  remove(key: string): PlacedValue | undefined {
    const value = this.#values.get(key);
    if (value === undefined) return undefined;
    this.#values.delete(key);
    this.#heldUntil.delete(key);
    this.#scanOrder.remove(this.#serials.get(key) ?? 0);
    this.#serials.delete(key);
    this.#bytes -= value.fileBytes;
    return value;
  }

  /**
   * Removes values until there is room.
   *
   * @param fileBytes Room that is needed.
   * @returns The values removed; undefined if there is no room all the same.
   */
  makeRoom(fileBytes: number): readonly PlacedValue[] | undefined {
    const removed: PlacedValue[] = [];
    if (fileBytes > this.#bytesMax) return undefined;
    const now = this.#wallClock.nowSeconds();
    let looks = 0;
    for (const value of this.#values.values()) {
      if (this.#hasRoom(fileBytes) || looks++ >= looksMax) break;
      if ((this.#heldUntil.get(value.key) ?? 0) > now) continue;
      this.remove(value.key);
      removed.push(value);
    }
    return this.#hasRoom(fileBytes) || removed.length > 0 ? removed : undefined;
  }

  hasRoom(fileBytes: number): boolean {
    return this.#hasRoom(fileBytes);
  }

  scan(cursor: number, count: number): ScanStep {
    const { keys, next } = this.#scanOrder.step(cursor, count);
    const isLive = (key: string) => !this.isExpired(this.#values.get(key) as PlacedValue);
    return { keys: keys.filter(isLive), next };
  }

  #hasRoom(fileBytes: number): boolean {
    return this.#bytes + fileBytes <= this.#bytesMax && this.#values.size < this.#filesMax;
  }
}
