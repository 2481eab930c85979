// Values in memory, under a hard bound: others are evicted for new ones. A value is visible once all of its
// bytes are there, and is checked against its checksum each time it is read.
import type { Clock } from '../base/index.ts';
import { createEvictionOrder, type EvictionOrder } from '../eviction/index.ts';
import { CopiesFirst } from './copies-first.ts';
import { ExistenceLeases } from './existence-leases.ts';
import { PageMemory, pageBytes } from './page-memory.ts';
import { type Checksum, PagesWriter, pieceBytes, type WrittenValue } from './pages-writer.ts';
import { ScanOrder, type ScanStep } from './scan-order.ts';
import { type TenantQuota, TenantQuotas, type TenantUsage } from './tenant-quotas.ts';
import { WatchedKeys } from './watched-keys.ts';

/** Longest key. LMCache's are at most 150 characters over lm://, and those of Redis clients some dozens longer. */
export const keyLengthMax = 4096;

/** Entries that an eviction looks at: those in use are skipped, but not without end. */
const evictionLooksMax = 1024;

/** A value that has come from below and was checked is not checked once more for the client that waits for it, whose turn is next. */
const landedSeconds = 0.01;

export interface StoreStats {
  readonly entries: number;
  /** Bytes of values. */
  readonly bytes: number;
  readonly bytesMax: number;
  readonly hits: number;
  readonly misses: number;
  readonly evictions: number;
  /** Values that were not stored, because all others were in use or the value is larger than the memory. */
  readonly refused: number;
  /** Values whose bytes did not match their checksum; they were dropped. */
  readonly corrupt: number;
}

/** A value whose bytes come in any order. */
export interface LandingValue extends ValueWriter {
  /** Memory for all bytes, before the first one; undefined if there is no room. It stays the value's until `commit` or `abort`. */
  reserve(): readonly Uint8Array[] | undefined;
  /** All bytes are in the memory of `reserve`. */
  landed(): void;
}

/** A value that is being received. */
export interface ValueWriter {
  /** Appends bytes; without room for them, the value is dropped. @throws {RangeError} If they are more than announced. */
  write(bytes: Uint8Array): void;
  /** Memory for the next bytes, which may be received there; undefined if the value is complete or was dropped. */
  space(): Uint8Array | undefined;
  /** Counts bytes that have been received in `space`. @throws {RangeError} If they are more than it holds. */
  filled(count: number): void;
  /**
   * Makes the value visible, in place of an older one. The older one is dropped, too, if there was no room for this
   * value: its client believes it to be replaced.
   *
   * @param ttlSeconds Time after which it expires; nothing is stored unless it is positive. @default never
   * @returns Whether there was room.
   * @throws {RangeError} If bytes are missing.
   */
  commit(ttlSeconds?: number): boolean;
  /** Gives the memory back; nothing becomes visible. */
  abort(): void;
  /** Checksum of the value once all bytes are there. */
  readonly checksum: number;
  /** Whether there was no room for the bytes so far. */
  readonly isDropped: boolean;
}

/** A value that is being read; it stays as it is until `release`. */
export interface ValueLease {
  readonly size: number;
  readonly checksum: number;
  readonly spans: readonly Uint8Array[];
  /** What the client stored beside the value. */
  readonly label: Uint8Array | undefined;
  /** Whether its bytes are known to be right. */
  readonly isChecked: boolean;
  /** Whether the bytes of the pieces (`pieceBytes`) of this part are right; a value that is wrong is dropped from the store. */
  isRight(from: number, to: number): boolean;
  release(): void;
}

interface Entry {
  readonly key: string;
  readonly pages: readonly number[];
  readonly size: number;
  readonly checksum: number;
  readonly sums: readonly number[];
  readonly label: Uint8Array | undefined;
  readonly tenant: TenantUsage | undefined;
  /** Place in the order of scans; a value that replaces another one keeps it. */
  readonly serial: number;
  expiresSeconds: number;
  /** Until when the next lease needs no check. */
  checkedUntilSeconds: number;
  leases: number;
  /** No longer in the store; its pages are released with the last lease. */
  isGone: boolean;
}

/** A store of values by key, in one process. */
export class MemoryStore {
  /** Larger values are not stored. */
  readonly valueBytesMax: number;
  readonly #memory: PageMemory;
  readonly #clock: Clock;
  readonly #checksum: Checksum;
  readonly #entries = new Map<string, Entry>();
  readonly #order: CopiesFirst;
  readonly tenants: TenantQuotas;
  /** Told of each value that is stored here, except for those that come from below. */
  readonly watched = new WatchedKeys();
  readonly #scanOrder = new ScanOrder();
  readonly #held: ExistenceLeases<Entry>;
  #bytes = 0;
  readonly #counts = { hits: 0, misses: 0, evictions: 0, refused: 0, corrupt: 0 };

  /**
   * @param options.bytesMax Hard bound of the values' memory.
   * @param options.valueBytesMax Largest value. By default it is the memory.
   * @param options.createOrder Which values go first. By default the least recently used ones.
   * @param options.tenants Tenants with bounds or key spaces of their own. By default none.
   * @param options.allocate Allocates memory that `checksum` reads. By default any.
   */
  constructor(options: {
    readonly bytesMax: number;
    readonly valueBytesMax?: number | undefined;
    readonly clock: Clock;
    readonly checksum: Checksum;
    readonly createOrder?: (() => EvictionOrder) | undefined;
    readonly tenants?: readonly TenantQuota[] | undefined;
    readonly allocate?: ((bytes: number) => SharedArrayBuffer) | undefined;
  }) {
    this.#memory = new PageMemory(options.bytesMax, options.allocate);
    const { valueBytesMax = Number.POSITIVE_INFINITY } = options;
    this.valueBytesMax = Math.min(valueBytesMax, this.#memory.pages * pageBytes);
    this.#clock = options.clock;
    this.#checksum = options.checksum;
    const { createOrder = () => createEvictionOrder('lru') } = options;
    this.#order = new CopiesFirst(createOrder);
    this.tenants = new TenantQuotas(options.tenants ?? [], createOrder);
    this.#held = new ExistenceLeases(Math.floor(this.#memory.pages / 2));
  }

  /**
   * Begins to receive a value. Memory is taken, and others are evicted, as its bytes arrive.
   *
   * @param label Kept with the value and returned with it, at most a few dozen bytes.
   * @param isCopy Whether it is kept for another server: it evicts only such values, and is evicted before all others until a
   *   client reads it here. @default false
   */
  receive(key: string, size: number, label?: Uint8Array, isCopy = false): LandingValue {
    const tenant = this.tenants.of(key);
    const source = {
      take: (count: number) => this.#take(count, tenant, isCopy),
      release: (pages: readonly number[]) => this.#release(pages, tenant),
      spans: (pages: readonly number[], bytes: number) => this.#memory.spans(pages, bytes),
    };
    const writer = new PagesWriter(source, size, this.#checksum);
    const pages = Math.ceil(size / pageBytes);
    const isTooLarge = size > this.valueBytesMax || pages > (tenant?.pagesMax ?? pages);
    if (key.length > keyLengthMax || isTooLarge) writer.drop();
    return {
      write: (bytes) => writer.write(bytes),
      space: () => writer.space(),
      filled: (count) => writer.filled(count),
      reserve: () => writer.reserve(),
      landed: () => writer.landed(),
      abort: () => writer.abort(),
      get checksum() {
        return writer.checksum;
      },
      get isDropped() {
        return writer.isDropped;
      },
      commit: (ttlSeconds = Number.POSITIVE_INFINITY) =>
        this.#publish({ key, size, label, tenant, isCopy }, writer.end(), ttlSeconds),
    };
  }

  /**
   * Returns a value, or undefined if there is none whose bytes are right.
   *
   * @param isCheckedLater Whether the caller checks the bytes. @default false
   */
  lease(key: string, isCheckedLater = false): ValueLease | undefined {
    const entry = this.#live(key);
    if (entry === undefined) {
      this.#count('misses', this.tenants.of(key));
      return undefined;
    }
    const spans = this.#memory.spans(entry.pages, entry.size);
    const isChecked = this.#isChecked(entry);
    if (!isChecked && !isCheckedLater && !this.#isRight(entry, 0, entry.size)) {
      this.#count('corrupt', entry.tenant);
      this.#count('misses', entry.tenant);
      this.#drop(entry);
      return undefined;
    }
    this.#touch(entry);
    this.#count('hits', entry.tenant);
    return this.#leased(entry, spans, isChecked || !isCheckedLater);
  }

  /** Whether its bytes have just been checked, for the client whose turn is next. */
  #isChecked(entry: Entry): boolean {
    if (entry.checkedUntilSeconds === 0) return false;
    const isChecked = entry.checkedUntilSeconds > this.#clock.nowSeconds();
    entry.checkedUntilSeconds = 0;
    return isChecked;
  }

  /** Whether the pieces of a part of the value are right. */
  #isRight({ pages, size, sums }: Entry, from: number, to: number): boolean {
    const pagesOfPiece = pieceBytes / pageBytes;
    for (let piece = Math.floor(from / pieceBytes); piece * pieceBytes < to; piece++) {
      const first = piece * pagesOfPiece;
      const bytes = Math.min(pieceBytes, size - piece * pieceBytes);
      let checksum = sums[piece - 1] ?? 0;
      for (const span of this.#memory.spans(pages.slice(first, first + pagesOfPiece), bytes)) {
        checksum = this.#checksum(span, checksum);
      }
      if (checksum !== sums[piece]) return false;
    }
    return true;
  }

  /** As `lease`, but without a check of the bytes, and no use of the value. */
  peek(key: string): ValueLease | undefined {
    const entry = this.#live(key);
    return entry && this.#leased(entry, this.#memory.spans(entry.pages, entry.size), false);
  }

  #leased(entry: Entry, spans: readonly Uint8Array[], isChecked: boolean): ValueLease {
    entry.leases++;
    let isReleased = false;
    return {
      isChecked,
      isRight: (from, to) => {
        if (this.#isRight(entry, from, to)) return true;
        this.#count('corrupt', entry.tenant);
        if (!entry.isGone) this.#drop(entry);
        return false;
      },
      size: entry.size,
      checksum: entry.checksum,
      spans,
      label: entry.label,
      release: () => {
        if (isReleased) return;
        isReleased = true;
        entry.leases--;
        if (entry.isGone && entry.leases === 0) this.#release(entry.pages, entry.tenant);
      },
    };
  }

  /**
   * Whether there is a value. One that exists is neither evicted nor expired for the next 10 s, unless more than half
   * of the memory has been promised since.
   */
  exists(key: string): boolean {
    const entry = this.#live(key);
    if (entry === undefined) return false;
    const now = this.#clock.nowSeconds();
    // Asking again and again does not prolong the life of a value that has expired.
    this.#held.hold(entry, now, Math.min(now, entry.expiresSeconds));
    this.#touch(entry);
    return true;
  }

  /** Two values belong to one prompt, as a client's requests suggest. */
  follows(key: string, before: string): void {
    this.#order.follows(key, before);
    this.tenants.of(key)?.order?.follows(key, before);
  }

  /** A copy of another server's value is this server's own from now on; of other values, nothing changes. */
  own(key: string): void {
    this.#order.own(key);
    this.tenants.of(key)?.order?.own(key);
  }

  /** Counts as a use of the value, without a promise. @returns Whether there is one. */
  touch(key: string): boolean {
    const entry = this.#live(key);
    if (entry !== undefined) this.#touch(entry);
    return entry !== undefined;
  }

  /** What the client stored beside the value; undefined without a value, or if there is nothing. */
  label(key: string): Uint8Array | undefined {
    return this.#live(key)?.label;
  }

  /** Size in bytes, or undefined without a value. */
  size(key: string): number | undefined {
    return this.#live(key)?.size;
  }

  /** Seconds until the value expires, Infinity if it does not, undefined without a value. */
  ttlSeconds(key: string): number | undefined {
    const entry = this.#live(key);
    return entry && entry.expiresSeconds - this.#clock.nowSeconds();
  }

  /** Sets when a value expires; it is deleted unless the time is positive. @returns Whether there is one. */
  expire(key: string, ttlSeconds: number): boolean {
    const entry = this.#live(key);
    if (entry === undefined) return false;
    if (ttlSeconds <= 0) this.#drop(entry);
    entry.expiresSeconds = this.#clock.nowSeconds() + ttlSeconds;
    return true;
  }

  /** @returns Whether there was a value. */
  delete(key: string): boolean {
    const entry = this.#live(key);
    if (entry !== undefined) this.#drop(entry);
    return entry !== undefined;
  }

  /**
   * Scans the keys in steps. Each key that exists from the first step to the last one is reported exactly once.
   *
   * @param cursor 0, or `next` of the step before.
   * @param count Keys looked at; those whose values have expired are left out.
   */
  scan(cursor: number, count: number): ScanStep {
    const { keys, next } = this.#scanOrder.step(cursor, count);
    return { keys: keys.filter((key) => this.#live(key) !== undefined), next };
  }

  clear(): void {
    for (const entry of [...this.#entries.values()]) this.#drop(entry);
  }

  /** Also of values whose time is over. */
  keys(): Iterable<string> {
    return this.#entries.keys();
  }

  get stats(): StoreStats {
    return {
      entries: this.#entries.size,
      bytes: this.#bytes,
      bytesMax: this.#memory.pages * pageBytes,
      ...this.#counts,
    };
  }

  #live(key: string): Entry | undefined {
    const entry = this.#entries.get(key);
    if (entry === undefined) return undefined;
    const now = this.#clock.nowSeconds();
    // A client that was told of a value gets it, even if its time is over meanwhile.
    if (entry.expiresSeconds > now || this.#held.has(entry, now)) return entry;
    this.#drop(entry);
    return undefined;
  }

  #touch({ key, tenant }: Entry): void {
    this.#order.use(key);
    tenant?.order?.use(key);
  }

  #count(what: keyof TenantUsage['counts'], tenant: TenantUsage | undefined): void {
    this.#counts[what]++;
    if (tenant !== undefined) tenant.counts[what]++;
  }

  #publish(
    value: Pick<Entry, 'key' | 'size' | 'label' | 'tenant'> & { readonly isCopy: boolean },
    written: WrittenValue | undefined,
    ttlSeconds: number,
  ): boolean {
    const older = this.#entries.get(value.key);
    const { key, size, tenant, isCopy } = value;
    if (written?.isLanded !== true) this.watched.changed(key);
    if (older !== undefined) this.#forget(older, false);
    if (written === undefined || ttlSeconds <= 0) {
      if (written === undefined) this.#count('refused', tenant);
      else this.#release(written.pages, tenant);
      if (older !== undefined) this.#scanOrder.remove(older.serial);
      return written !== undefined;
    }
    const now = this.#clock.nowSeconds();
    const { pages, checksum, sums, isLanded } = written;
    this.#entries.set(key, {
      ...{ key, size, label: value.label, tenant, pages, checksum, sums },
      serial: older?.serial ?? this.#scanOrder.add(key),
      expiresSeconds: now + ttlSeconds,
      checkedUntilSeconds: isLanded ? now + landedSeconds : 0,
      leases: 0,
      isGone: false,
    });
    this.#order.add(key, size, isCopy);
    this.#bytes += size;
    if (tenant !== undefined) {
      tenant.order?.add(key, size, isCopy);
      tenant.bytes += size;
      tenant.entries++;
    }
    return true;
  }

  #drop(entry: Entry, isEvicted = false): void {
    this.#forget(entry, isEvicted);
    this.#scanOrder.remove(entry.serial);
  }

  #forget(entry: Entry, isEvicted: boolean): void {
    const { key, size, tenant } = entry;
    this.#entries.delete(key);
    this.#order.remove(key, isEvicted);
    this.#held.end(entry);
    this.#bytes -= size;
    if (tenant !== undefined) {
      tenant.order?.remove(key, isEvicted);
      tenant.bytes -= size;
      tenant.entries--;
    }
    entry.isGone = true;
    if (entry.leases === 0) this.#release(entry.pages, tenant);
  }

  /** Takes pages for a value, evicting others. */
  #take(
    count: number,
    tenant: TenantUsage | undefined,
    isCopy: boolean,
  ): readonly number[] | undefined {
    if (count > this.#memory.pages) return undefined;
    const hasRoom = () => this.#memory.freePages >= count;
    if (tenant?.order !== undefined) {
      const isWithin = () => tenant.pages + count <= tenant.pagesMax;
      if (!this.#evictUntil(isWithin, tenant.order.candidates(isCopy))) return undefined;
    }
    if (!this.#evictUntil(hasRoom, this.#order.candidates(isCopy))) return undefined;
    if (tenant !== undefined) tenant.pages += count;
    return this.#memory.take(count);
  }

  #release(pages: readonly number[], tenant: TenantUsage | undefined): void {
    this.#memory.release(pages);
    if (tenant !== undefined) tenant.pages -= pages.length;
  }

  #evictUntil(isEnough: () => boolean, candidates: Iterable<string>): boolean {
    if (isEnough()) return true;
    const now = this.#clock.nowSeconds();
    let looks = 0;
    for (const key of candidates) {
      if (looks++ >= evictionLooksMax) return false;
      const entry = this.#entries.get(key) as Entry;
      if (entry.leases > 0 || this.#held.has(entry, now)) continue;
      if (entry.expiresSeconds > now) this.#count('evictions', entry.tenant);
      this.#drop(entry, true);
      if (isEnough()) return true;
    }
    return false;
  }
}
