// Reuses buffers for request bodies. They are too large for the garbage collector, which counts
// their memory outside its heap and marks the whole heap again for every few megabytes.

/** Minimum size of a buffer; smaller ones are not worth a class of their own. */
const bytesMin = 4_096;
/** Buffers above this size are in shared memory. */
export const unsharedBytesMax = 1_048_576;

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
    if (kept === undefined) return newBuffer(bytesMin << index);
    this.#keptBytes -= kept.length;
    return kept;
  }

  /** Takes back a whole buffer from `take`; it must not be read from now on. */
  give(buffer: Buffer): void {
    if (this.#keptBytes + buffer.length > this.#keptBytesMax) return;
    this.#keptBytes += buffer.length;
    const index = classOf(buffer.length);
    this.#classes[index] ??= [];
    this.#classes[index].push(buffer);
  }
}

/** Large buffers are shared memory, so that another thread can read them without a copy. */
function newBuffer(bytes: number): Buffer {
  if (bytes <= unsharedBytesMax) return Buffer.allocUnsafeSlow(bytes);
  return Buffer.from(new SharedArrayBuffer(bytes));
}

/** Returns the index of the smallest class with this many bytes. */
function classOf(length: number): number {
  return length <= bytesMin ? 0 : 32 - Math.clz32((length - 1) >>> 12);
}
