// Buffers that come back: request bodies are too large to be left to the garbage collector, which
// counts what they hold outside its heap and marks the whole heap again for every few megabytes.

/** Smallest buffer; smaller ones are not worth a class of their own. */
const bytesMin = 4_096;

/** Keeps given-back buffers by size, up to a bound in bytes; what is over it is let go. */
export class BufferPool {
  readonly #keptBytesMax: number;
  /** Index i holds buffers of `bytesMin << i` bytes. */
  readonly #classes: Buffer[][] = [];
  #keptBytes = 0;

  constructor(options: { readonly keptBytesMax: number }) {
    this.#keptBytesMax = options.keptBytesMax;
  }

  /** Bytes held for later. */
  get keptBytes(): number {
    return this.#keptBytes;
  }

  /** A buffer of at least this length, with whatever is in it. */
  take(length: number): Buffer {
    const index = classOf(length);
    const kept = this.#classes[index]?.pop();
    if (kept === undefined) return Buffer.allocUnsafeSlow(bytesMin << index);
    this.#keptBytes -= kept.length;
    return kept;
  }

  /** Gives back a whole buffer that `take` returned; nobody may read it from now on. */
  give(buffer: Buffer): void {
    if (this.#keptBytes + buffer.length > this.#keptBytesMax) return;
    this.#keptBytes += buffer.length;
    const index = classOf(buffer.length);
    this.#classes[index] ??= [];
    this.#classes[index].push(buffer);
  }
}

/** Index of the least class that holds so many bytes. */
function classOf(length: number): number {
  return length <= bytesMin ? 0 : 32 - Math.clz32((length - 1) >>> 12);
}
