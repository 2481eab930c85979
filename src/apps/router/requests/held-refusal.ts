// A refusal of an engine that is looked at before the client gets it.
import type { ResponseHead } from '../../../io/http/index.ts';

/** In bytes, with the framing. Errors that name a member are shorter, and longer ones are passed on. */
const refusalBytesMax = 65_536;

export class HeldRefusal {
  readonly head: ResponseHead;
  chunks = 0;
  readonly #parts: Buffer[] = [];
  #length = 0;

  constructor(head: ResponseHead) {
    this.head = head;
  }

  /** What has arrived, with its framing. */
  get bytes(): Buffer {
    return Buffer.concat(this.#parts);
  }

  /** @param bytes A read of the body, valid during the call. @returns False once it is too long. */
  add(bytes: Buffer, chunks: number): boolean {
    this.#parts.push(Buffer.from(bytes));
    this.#length += bytes.length;
    this.chunks += chunks;
    return this.#length <= refusalBytesMax;
  }

  /** Whether it mentions a word; a chunk seldom ends within it. */
  names(word: string): boolean {
    return this.bytes.includes(word);
  }
}
