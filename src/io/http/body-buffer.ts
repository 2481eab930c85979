// Collects a request body in one buffer that grows as the body arrives, so that memory follows the
// received bytes, not the announced length or the number of pieces.
import { type BufferPool, bytesAtOnceMax } from './buffer-pool.ts';

const noBytes = Buffer.alloc(0);

export class BodyBuffer {
  readonly #pool: BufferPool;
  #buffer: Buffer = noBytes;
  #expectedBytes = -1;
  #length = 0;

  constructor(pool: BufferPool) {
    this.#pool = pool;
  }

  /** Number of received bytes. */
  get length(): number {
    return this.#length;
  }

  /** Starts a body. @param expectedBytes Announced length; -1 if unknown. */
  begin(expectedBytes: number): void {
    this.#expectedBytes = expectedBytes;
    this.#length = 0;
  }

  append(source: Buffer, start: number, end: number): void {
    const length = this.#length + end - start;
    if (length > this.#buffer.length) this.#grow(length);
    source.copy(this.#buffer, this.#length, start, end);
    this.#length = length;
  }

  /** The body so far; valid until `release`. */
  get bytes(): Buffer {
    return this.#buffer.subarray(0, this.#length);
  }

  /** Returns the buffer to the pool: the body must not be read from now on. */
  release(): void {
    if (this.#buffer !== noBytes) this.#pool.give(this.#buffer);
    this.forget();
  }

  /** Drops the buffer without returning it, because the body may still be in use. */
  forget(): void {
    this.#buffer = noBytes;
    this.#length = 0;
  }

  #grow(needed: number): void {
    const old = this.#buffer;
    const expected = this.#expectedBytes;
    const wanted =
      expected >= 0
        ? needed > bytesAtOnceMax
          ? expected
          : Math.min(expected, bytesAtOnceMax)
        : Math.max(needed, 2 * old.length);
    this.#buffer = this.#pool.take(wanted);
    old.copy(this.#buffer, 0, 0, this.#length);
    if (old !== noBytes) this.#pool.give(old);
  }
}
