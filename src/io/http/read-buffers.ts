// Buffers that connections to engines read into. Most connections of a large fleet are idle or carry a check, whose
// response is read at once: all of these share one buffer. A connection has its own only while a response arrives whose bytes
// may be kept for a slow client.

/** Maximum number of bytes per read; libuv's own choice for streams. */
const readBytesMax = 65_536;
/** Buffers kept for the next response, 16 MiB of them; further ones are left to the garbage collector. */
const spareMax = 256;
/** Interval at which those are let go that were spare all the time. */
const trimMs = 10_000;

class ReadBuffers {
  /** Valid until the next read of any connection. libuv reads and calls back synchronously, so no two reads overlap. */
  readonly shared = Buffer.allocUnsafeSlow(readBytesMax);
  readonly #spare: Buffer[] = [];
  /** Those that a client's socket has, by their memory. */
  readonly #lent = new WeakMap<ArrayBufferLike, Buffer>();
  /** The fewest that were spare since the last trim. */
  #fewest = 0;
  #timer: NodeJS.Timeout | undefined = undefined;

  /** Returns a buffer with arbitrary content for one connection. */
  take(): Buffer {
    const buffer = this.#spare.pop() ?? Buffer.allocUnsafeSlow(readBytesMax);
    this.#fewest = Math.min(this.#fewest, this.#spare.length);
    return buffer;
  }

  /** Takes back a buffer whose bytes are no longer needed. */
  give(buffer: Buffer): void {
    if (this.#spare.length < spareMax) this.#spare.push(buffer);
    this.#timer ??= setInterval(() => this.#trim(), trimMs).unref();
  }

  /** A client's socket needs the bytes of a buffer. */
  lend(buffer: Buffer): void {
    this.#lent.set(buffer.buffer, buffer);
  }

  /** Takes back what a socket no longer needs, if it was lent. */
  takeBack(memory: ArrayBufferLike): void {
    const buffer = this.#lent.get(memory);
    if (buffer === undefined) return;
    this.#lent.delete(memory);
    this.give(buffer);
  }

  #trim(): void {
    this.#spare.splice(0, this.#fewest);
    this.#fewest = this.#spare.length;
    if (this.#fewest > 0) return;
    clearInterval(this.#timer);
    this.#timer = undefined;
  }
}

/** Of all connections to engines of this process. */
export const readBuffers = new ReadBuffers();
