// Memory in pages of one size, so that values of any size come and go without fragmentation and without garbage.

/** Bytes of a page; a value wastes half a page on average. */
export const pageBytes = 64 << 10;

/** Bytes of one SharedArrayBuffer; the last one may be smaller. */
const segmentBytes = 256 << 20;

/** Pages by their numbers. Segments are allocated when their first page is needed. */
export class PageMemory {
  readonly pages: number;
  readonly #segments: (Uint8Array | undefined)[];
  /** Released pages; the last one is taken first, because it may still be in the processor's cache. */
  readonly #released: number[] = [];
  #next = 0;

  readonly #allocate: (bytes: number) => SharedArrayBuffer;

  /** @param bytesMax Hard bound; rounded down to whole pages. */
  constructor(bytesMax: number, allocate = (bytes: number) => new SharedArrayBuffer(bytes)) {
    this.#allocate = allocate;
    this.pages = Math.floor(bytesMax / pageBytes);
    this.#segments = new Array(Math.ceil((this.pages * pageBytes) / segmentBytes));
  }

  get freePages(): number {
    return this.pages - this.#next + this.#released.length;
  }

  /** Takes pages; undefined if there are not enough. */
  take(count: number): number[] | undefined {
    if (count > this.freePages) return undefined;
    return Array.from({ length: count }, () => this.#released.pop() ?? this.#next++);
  }

  release(pages: readonly number[]): void {
    // In reverse, so that they are taken again in their order and stay neighbours.
    for (let i = pages.length - 1; i >= 0; i--) this.#released.push(pages[i] as number);
  }

  /** Returns the bytes of the pages in order, neighbouring pages as one span. @param size Bytes in all. */
  spans(pages: readonly number[], size: number): Uint8Array[] {
    const spans: Uint8Array[] = [];
    const perSegment = segmentBytes / pageBytes;
    for (let i = 0; i < pages.length; ) {
      const first = pages[i] as number;
      let count = 1;
      while (pages[i + count] === first + count && (first + count) % perSegment !== 0) count++;
      const bytes = Math.min(count * pageBytes, size - i * pageBytes);
      const start = (first % perSegment) * pageBytes;
      spans.push(this.#segment(Math.floor(first / perSegment)).subarray(start, start + bytes));
      i += count;
    }
    return spans;
  }

  #segment(index: number): Uint8Array {
    const known = this.#segments[index];
    if (known !== undefined) return known;
    const bytes = Math.min(segmentBytes, this.pages * pageBytes - index * segmentBytes);
    const segment = new Uint8Array(this.#allocate(bytes));
    this.#segments[index] = segment;
    return segment;
  }
}
