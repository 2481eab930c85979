// Checksums of pages at the speed of memory: rounds of xxHash32 in 32 lanes, in WebAssembly with SIMD, which works on the pages
// where they lie. CRC-32 as Node has it takes three to four times as long, as long as the kernel takes to receive the bytes.
import { checksumModule } from './checksum-module.ts';

type Sum = (at: number, size: number, seed: number) => number;

/** What is used of it; Node's types have it without values. */
declare const WebAssembly: {
  readonly Module: new (bytes: Uint8Array<ArrayBuffer>) => object;
  readonly Memory: new (options: {
    readonly initial: number;
    readonly maximum: number;
    readonly shared: true;
  }) => { readonly buffer: SharedArrayBuffer };
  readonly Instance: new (
    module: object,
    imports: Readonly<Record<string, Readonly<Record<string, unknown>>>>,
  ) => { readonly exports: { readonly sum: Sum } };
};

/** WebAssembly's unit of memory. */
const wasmPageBytes = 64 << 10;

/** A checksum with the memory that it can read. */
export class PageChecksum {
  readonly #module = new WebAssembly.Module(checksumModule());
  readonly #sums = new WeakMap<ArrayBufferLike, Sum>();

  /** Allocates memory that `of` can read; the machine gives pages when they are first written. @param bytes A multiple of 64 KiB, up to 4 GiB. */
  readonly allocate = (bytes: number): SharedArrayBuffer => {
    const pages = bytes / wasmPageBytes;
    const memory = new WebAssembly.Memory({ initial: pages, maximum: pages, shared: true });
    const { exports } = new WebAssembly.Instance(this.#module, { cache: { memory } });
    this.#sums.set(memory.buffer, exports.sum);
    return memory.buffer;
  };

  /**
   * Continues a checksum over pages of a value.
   *
   * @param bytes In memory of `allocate`; whole pages, but for the last one of a value.
   * @param before Of the pages before; 0 for none.
   */
  readonly of = (bytes: Uint8Array, before: number): number => {
    const sum = this.#sums.get(bytes.buffer);
    if (sum === undefined) throw new RangeError('A checksum of bytes outside its memory');
    return sum(bytes.byteOffset, bytes.length, before) >>> 0;
  };
}
