// Reuses buffers for request bodies. They are too large for the garbage collector, which counts
// their memory outside its heap and marks the whole heap again for every few megabytes.

/** Minimum size of a buffer; smaller ones are not worth a class of their own. */
const bytesMin = 4_096;
/** Bodies above this size are read in another thread, to which their memory moves. */
export const bytesAtOnceMax = 1_048_576;

/** Keeps returned buffers by size, up to a bound in bytes; those beyond it are released. */
export class BufferPool {
  readonly #keptBytesMax: number;
  /** Index i holds buffers of `bytesMin << i` bytes. */
  readonly #classes: Buffer[][] = [];
  #keptBytes = 0;

  constructor(options: { readonly keptBytesMax: number }) {
    this.#keptBytesMax = options.keptBytesMax;
  }

  /** Number of bytes kept for later. */
  get keptBytes(): number {
    return this.#keptBytes;
  }

  /** Returns a buffer of at least this length, with arbitrary content. */
  take(length: number): Buffer {
    const index = classOf(length);
    const kept = this.#classes[index]?.pop();
    if (kept === undefined) return Buffer.allocUnsafeSlow(bytesMin << index);
    this.#keptBytes -= kept.length;
    return kept;
  }

  /** Takes back a whole buffer from `take`, unless its memory has moved to another thread; it must not be read from now on. */
  give(buffer: Buffer): void {
    if (buffer.length === 0 || this.#keptBytes + buffer.length > this.#keptBytesMax) return;
    this.#keptBytes += buffer.length;
    const index = classOf(buffer.length);
    this.#classes[index] ??= [];
    this.#classes[index].push(buffer);
  }
}

/** Returns the index of the smallest class with this many bytes. */
function classOf(length: number): number {
  return length <= bytesMin ? 0 : 32 - Math.clz32((length - 1) >>> 12);
}
