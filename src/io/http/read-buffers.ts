// Buffers that connections to engines read into. Most connections of a large fleet are idle or carry a check, whose
// response is read at once: all of these share one buffer. A connection has its own only while a response arrives whose bytes
// may be kept for a slow client.

/** Maximum number of bytes per read; libuv's own choice for streams. */
const readBytesMax = 65_536;
/** Buffers kept for the next response, 64 MiB of them; further ones are left to the garbage collector. */
const spareMax = 1_024;

export class ReadBuffers {
  /** Valid until the next read of any connection. libuv reads and calls back synchronously, so no two reads overlap. */
  readonly shared = Buffer.allocUnsafeSlow(readBytesMax);
  readonly #spare: Buffer[] = [];

  /** Returns a buffer with arbitrary content for one connection. */
  take(): Buffer {
    return this.#spare.pop() ?? Buffer.allocUnsafeSlow(readBytesMax);
  }

  /** Takes back a buffer whose bytes are no longer needed. */
  give(buffer: Buffer): void {
    if (this.#spare.length < spareMax) this.#spare.push(buffer);
  }
}
