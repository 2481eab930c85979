// The body of a response that the router reads itself.
import { ChunkedReader, type ResponseHead } from '../../../io/http/index.ts';

/** In bytes. The response of a prefill has one token and the ids of its blocks: 8,192 for 131,072 tokens. */
const bodyBytesMax = 1 << 20;

/** Collects a body up to 1 MiB. */
export class CollectedBody {
  readonly #parts: Buffer[] = [];
  readonly #chunked: ChunkedReader | undefined;
  #bytes = 0;

  constructor({ framing }: ResponseHead) {
    this.#chunked = framing === 'chunked' ? new ChunkedReader() : undefined;
  }

  /** @param bytes A read of the body with its framing, valid during the call. @returns False once it is too long. */
  add(bytes: Buffer): boolean {
    if (this.#chunked === undefined) this.#keep(bytes);
    else {
      this.#chunked.read(bytes, 0, bytes.length, (from, start, end) =>
        this.#keep(from.subarray(start, end)),
      );
    }
    return this.#bytes <= bodyBytesMax;
  }

  /** What was collected. */
  whole(): Buffer {
    return Buffer.concat(this.#parts);
  }

  #keep(bytes: Buffer): void {
    this.#bytes += bytes.length;
    if (this.#bytes <= bodyBytesMax) this.#parts.push(Buffer.from(bytes));
  }
}
