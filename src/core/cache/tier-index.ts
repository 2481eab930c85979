// The index of a tier below memory: which values it has, in the order of use, and what has to go for a new one.
import type { Clock } from '../base/index.ts';
import { createEvictionOrder, type EvictionOrder } from '../eviction/index.ts';
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
  readonly #order: EvictionOrder;
  readonly #values = new Map<string, PlacedValue>();
  readonly #serials = new Map<string, number>();
  readonly #heldUntil = new Map<string, number>();
  readonly #scanOrder = new ScanOrder();
  #bytes = 0;

  constructor(options: {
    readonly wallClock: Clock;
    readonly bytesMax: number;
    readonly filesMax: number;
    /** Which values go first. @default the least recently used ones */
    readonly createOrder?: (() => EvictionOrder) | undefined;
  }) {
    this.#wallClock = options.wallClock;
    this.#bytesMax = options.bytesMax;
    this.#filesMax = options.filesMax;
    this.#order = options.createOrder?.() ?? createEvictionOrder('lru');
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
    this.#order.add(value.key, value.fileBytes);
    this.#serials.set(value.key, this.#scanOrder.add(value.key));
    this.#bytes += value.fileBytes;
  }

  touch(value: StoredValue): void {
    this.#order.use(value.key);
  }

  follows(key: string, before: string): void {
    this.#order.follows(key, before, false);
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

  remove(key: string, isEvicted = false): PlacedValue | undefined {
    const value = this.#values.get(key);
    if (value === undefined) return undefined;
    this.#values.delete(key);
    this.#order.remove(key, isEvicted);
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
    if (this.#hasRoom(fileBytes)) return removed;
    for (const key of this.#order.candidates()) {
      if (looks++ >= looksMax) break;
      if ((this.#heldUntil.get(key) ?? 0) > now) continue;
      removed.push(this.remove(key, true) as PlacedValue);
      if (this.#hasRoom(fileBytes)) break;
    }
    return this.#hasRoom(fileBytes) || removed.length > 0 ? removed : undefined;
  }

  /** The keys of the next values to go, which together have at least this many bytes. */
  next(fileBytes: number): readonly string[] {
    const keys: string[] = [];
    let bytes = 0;
    for (const key of this.#order.candidates()) {
      if (bytes >= fileBytes) break;
      keys.push(key);
      bytes += this.#values.get(key)?.fileBytes ?? 0;
    }
    return keys;
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
