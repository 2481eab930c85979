// Looks through a long JSON body before it is parsed, in slices, so that no body keeps the engine's other requests waiting.
import { badRequest } from '../../../core/api/index.ts';
import { nextSlice } from '../base/slices.ts';

/** A shorter body cannot reach the bounds below by much, and is parsed at once. */
const longBytes = 128 * 1024;
/** Bytes between two turns of the event loop: a millisecond or two. */
const sliceBytes = 1024 * 1024;

/**
 * Bounds on the parts of a body. Parsing and checking as many of each takes 100 ms at most here. vLLM has no bound: a long list keeps its
 * server waiting, too. The values allow for a prompt of token ids in a context of 1,048,576 tokens.
 */
export const bodyBounds = {
  /** Items of lists and fields of objects. */
  values: 2 ** 20 + 2 ** 16,
  texts: 262_144,
  fields: 131_072,
  /** Lists and objects. */
  brackets: 131_072,
} as const;

/** Values up to which integers of any length and NaN are read as Python does, one by one. */
export const pythonValuesMax = 131_072;

/** Python's recursion limit, minus the frames below its parser. */
export const depthMax = 990;

/** What a body consists of. */
export interface BodyScan {
  readonly values: number;
  readonly isTooDeep: boolean;
}

/**
 * @returns Undefined for a body that is too short to be a problem.
 * @throws {ApiError} 400 if it has more parts than an engine reads.
 */
export async function scanBody(bytes: Uint8Array): Promise<BodyScan | undefined> {
  if (bytes.length <= longBytes) return undefined;
  const scanner = new Scanner();
  for (let at = 0; at < bytes.length; at += sliceBytes) {
    scanner.read(bytes, at, Math.min(bytes.length, at + sliceBytes));
    await nextSlice();
  }
  return scanner;
}

class Scanner implements BodyScan {
  values = 0;
  isTooDeep = false;
  readonly #counts = { texts: 0, fields: 0, brackets: 0 };
  #depth = 0;
  #isInText = false;
  #isEscaped = false;

  read(bytes: Uint8Array, from: number, to: number): void {
    let at = from;
    while (at < to) {
      if (this.#isInText) {
        at = this.#skipText(bytes, at, to);
        continue;
      }
      switch (bytes[at++]) {
        case 0x22:
          this.#isInText = true;
          this.#counts.texts++;
          break;
        case 0x2c:
          this.values++;
          break;
        case 0x3a:
          this.#counts.fields++;
          break;
        case 0x5b:
        case 0x7b:
          this.values++;
          this.#counts.brackets++;
          if (++this.#depth > depthMax) this.isTooDeep = true;
          break;
        case 0x5d:
        case 0x7d:
          this.#depth--;
      }
    }
    for (const [what, most] of Object.entries(bodyBounds)) {
      const count = what === 'values' ? this.values : this.#counts[what as 'texts'];
      if (count > most) throw tooMany(what, most);
    }
  }

  #skipText(bytes: Uint8Array, from: number, to: number): number {
    for (let at = from; at < to; at++) {
      if (this.#isEscaped) this.#isEscaped = false;
      else if (bytes[at] === 0x5c) this.#isEscaped = true;
      else if (bytes[at] === 0x22) {
        this.#isInText = false;
        return at + 1;
      }
    }
    return to;
  }
}

function tooMany(what: string, most: number): Error {
  const words = what === 'brackets' ? 'lists and objects' : what;
  return badRequest(
    `The body has more than ${most} ${words}, the most that this engine reads. Send smaller requests.`,
  );
}
