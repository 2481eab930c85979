// Encodes texts without keeping the engine's other requests waiting: a long one is encoded in turns.
import type { Tokenizer } from '../../../core/tokenizer/index.ts';
import { nextSlice } from '../base/slices.ts';

/** A text of at most this length is encoded at once, which takes 10 ms at most. */
const shortCharacters = 8192;

/** Time after which a slice of texts ends with the part that is being encoded, in milliseconds. */
const sliceMs = 10;

export interface EncodeOptions {
  /** Adds begin-of-text and similar tokens, if the model has them. @default true */
  readonly addSpecialTokens?: boolean;
  /** Stops once there are more tokens: the request is refused then. @default Infinity */
  readonly tokensMax?: number;
}

/** A long text that is being encoded. */
interface Work {
  readonly parts: Iterator<readonly number[]>;
  readonly tokens: number[];
  readonly tokensMax: number;
  readonly finish: () => void;
  readonly fail: (error: unknown) => void;
}

/** Long texts share the time, part by part, so that none waits for the end of another. */
export class PromptEncoder {
  readonly #tokenizer: Tokenizer;
  #open: Work[] = [];
  #isRunning = false;

  constructor(tokenizer: Tokenizer) {
    this.#tokenizer = tokenizer;
  }

  /** @returns All tokens, or the first `tokensMax` and some more. */
  async encode(text: string, options: EncodeOptions = {}): Promise<readonly number[]> {
    if (text.length <= shortCharacters) return this.#tokenizer.encode(text, options);
    const { tokensMax = Number.POSITIVE_INFINITY } = options;
    const parts = this.#tokenizer.encodeInParts(text, options);
    const tokens: number[] = [];
    await new Promise<void>((finish, fail) => {
      this.#open.push({ parts, tokens, tokensMax, finish, fail });
      if (!this.#isRunning) void this.#run();
    });
    return tokens;
  }

  async #run(): Promise<void> {
    this.#isRunning = true;
    while (this.#open.length > 0) {
      await nextSlice();
      const endMs = performance.now() + sliceMs;
      do this.#round();
      while (this.#open.length > 0 && performance.now() < endMs);
    }
    this.#isRunning = false;
  }

  /** Encodes one part of the text whose turn it is. */
  #round(): void {
    const work = this.#open.shift();
    if (work === undefined) return;
    try {
      const { done, value } = work.parts.next();
      if (!done) for (const token of value) work.tokens.push(token);
      if (done || work.tokens.length > work.tokensMax) work.finish();
      else this.#open.push(work);
    } catch (error) {
      work.fail(error);
    }
  }
}
