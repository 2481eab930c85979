// Receives a value into pages that are taken as its bytes arrive: a size that is only announced evicts nothing.
import { pageBytes } from './page-memory.ts';

/**
 * Continues a checksum over more pages of a value; the first call has 0. Bytes are in the memory of pages and whole pages, but for the
 * last ones of a value.
 */
export type Checksum = (bytes: Uint8Array, before: number) => number;

/** Pages taken at once, while a value grows: 1 MiB. */
const pagesAtOnce = 16;

/** Bytes of a value that can be checked by themselves: as many as are sent to a client before it has to read them. */
export const pieceBytes = pagesAtOnce * pageBytes;

/** Where pages come from. */
export interface PageSource {
  /** Takes pages, evicting values; undefined if there is no room. */
  take(count: number): readonly number[] | undefined;
  release(pages: readonly number[]): void;
  spans(pages: readonly number[], size: number): Uint8Array[];
}

/** A value that is complete. */
export interface WrittenValue {
  readonly pages: readonly number[];
  readonly checksum: number;
  /** Checksums of the value up to the end of each piece of `pieceBytes`; the last one is `checksum`. */
  readonly sums: readonly number[];
  /** Whether the bytes came from a tier below, whose checksum was compared. */
  readonly isLanded: boolean;
}

/** A value that is being received. */
export class PagesWriter {
  readonly #source: PageSource;
  readonly #size: number;
  readonly #checksumOf: Checksum;
  readonly #pages: number[] = [];
  #checksum = 0;
  readonly #sums: number[] = [];
  /** Pages in the checksum. */
  #summed = 0;
  #written = 0;
  /** Memory after the written bytes. */
  #free: Uint8Array[] = [];
  #state: 'open' | 'dropped' | 'ended' = 'open';
  #isLanded = false;

  /** @param size Bytes in all. */
  constructor(source: PageSource, size: number, checksum: Checksum) {
    this.#source = source;
    this.#size = size;
    this.#checksumOf = checksum;
  }

  /** Appends bytes. They are dropped, with the rest of the value, if there is no room. @throws {RangeError} If they are more than announced. */
  write(bytes: Uint8Array): void {
    if (this.#state === 'ended' || this.#written + bytes.length > this.#size) {
      throw new RangeError(`${bytes.length} bytes after ${this.#written} of ${this.#size}`);
    }
    for (let at = 0; at < bytes.length && this.#state === 'open'; ) {
      const span = this.#free[0];
      if (span === undefined) {
        this.#grow(this.#written + at);
        continue;
      }
      const part = bytes.subarray(at, at + span.length);
      span.set(part);
      at += part.length;
      this.#advance(span, part.length);
    }
    this.#written += bytes.length;
    this.#sumPages();
  }

  /**
   * Returns memory for the next bytes, so that they can be received in their place; `filled` says how many have come.
   *
   * @returns undefined if the value is complete or was dropped.
   */
  space(): Uint8Array | undefined {
    if (this.#state !== 'open' || this.#written === this.#size) return undefined;
    if (this.#free.length === 0) this.#grow(this.#written);
    return this.#free[0];
  }

  /** Counts bytes that have been received in `space`. @throws {RangeError} If they are more than it holds. */
  filled(count: number): void {
    const span = this.#free[0];
    if (this.#state !== 'open' || span === undefined || count > span.length) {
      throw new RangeError(`${count} bytes in a space of ${span?.length ?? 0}`);
    }
    this.#advance(span, count);
    this.#written += count;
    this.#sumPages();
  }

  /**
   * Returns memory for all bytes, of which none has been written: they may be put there in any order, until `landed`.
   *
   * @returns undefined if there is no room.
   */
  reserve(): readonly Uint8Array[] | undefined {
    if (this.#state !== 'open' || this.#pages.length > 0) return undefined;
    const pages = this.#source.take(Math.ceil(this.#size / pageBytes));
    if (pages === undefined) {
      this.drop();
      return undefined;
    }
    this.#pages.push(...pages);
    return this.#source.spans(pages, this.#size);
  }

  /** All bytes are in the memory of `reserve`. */
  landed(): void {
    if (this.#state !== 'open') return;
    this.#written = this.#size;
    this.#isLanded = true;
    this.#sumPages();
  }

  /** Checksum of the value once it is complete, before of its pages so far. */
  get checksum(): number {
    return this.#checksum;
  }

  /** Whether there was no room. */
  get isDropped(): boolean {
    return this.#state === 'dropped';
  }

  /**
   * Ends the value.
   *
   * @returns undefined if there was no room for it.
   * @throws {RangeError} If bytes are missing.
   */
  end(): WrittenValue | undefined {
    if (this.#state === 'ended' || this.#written !== this.#size) {
      throw new RangeError(`${this.#written} of ${this.#size} bytes are written`);
    }
    // An empty value takes a page, too: the number of values is bounded by the memory.
    if (this.#size === 0 && this.#state === 'open') this.#grow(0);
    const isWhole = this.#state === 'open';
    this.#state = 'ended';
    if (!isWhole) return undefined;
    const sums = this.#sums;
    return { pages: this.#pages, checksum: this.#checksum, sums, isLanded: this.#isLanded };
  }

  /** Gives the memory back. */
  abort(): void {
    if (this.#state === 'open') this.#source.release(this.#pages);
    this.#state = 'ended';
  }

  /** Drops what was received; the rest is counted only. */
  drop(): void {
    if (this.#state !== 'open') return;
    this.#source.release(this.#pages);
    this.#free = [];
    this.#state = 'dropped';
  }

  #advance(span: Uint8Array, count: number): void {
    if (count === span.length) this.#free.shift();
    else this.#free[0] = span.subarray(count);
  }

  /** While they are in the processor's cache. */
  #sumPages(): void {
    const isWhole = this.#written === this.#size;
    const full = isWhole ? this.#pages.length : Math.floor(this.#written / pageBytes);
    if (this.#state !== 'open' || full === this.#summed) return;
    while (this.#summed < full) {
      const from = this.#summed;
      const to = Math.min(full, from - (from % pagesAtOnce) + pagesAtOnce);
      const bytes = Math.min(this.#written, to * pageBytes) - from * pageBytes;
      for (const span of this.#source.spans(this.#pages.slice(from, to), bytes)) {
        this.#checksum = this.#checksumOf(span, this.#checksum);
      }
      this.#summed = to;
      if (to % pagesAtOnce === 0 || (isWhole && to === full)) this.#sums.push(this.#checksum);
    }
  }

  #grow(offset: number): void {
    const left = Math.max(1, Math.ceil((this.#size - offset) / pageBytes));
    const pages = this.#source.take(Math.min(pagesAtOnce, left));
    if (pages === undefined) {
      this.drop();
      return;
    }
    this.#pages.push(...pages);
    this.#free = this.#source.spans(pages, Math.min(pages.length * pageBytes, this.#size - offset));
  }
}
