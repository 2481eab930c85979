// All that a model sees when it samples: the prompt and the output so far, and the noise of a seed. Equal
// histories give equal draws, however they are divided into prompt and output, so a response can be continued
// by another engine.
import { type ChainHash, hashTokenBlock } from '../../../core/kv/index.ts';

/** Tokens per hashed block; the last ones of a history are hashed at each draw. */
const blockTokens = 32;

export class TokenHistory {
  readonly #prompt: readonly number[];
  readonly #seed: number | undefined;
  #output: readonly number[] = [];
  /** Hash of all complete blocks. */
  #hash: ChainHash;
  /** Tokens after them; fewer than `blockTokens`. */
  readonly #rest: number[] = [];
  #outputTokens = 0;

  /**
   * @param key Hash of the model and its seed.
   * @param seed The request's seed, if it has one: its noise at the first token. The noise at the token n places
   *   later is that of `seed + n`, so a request that continues a response has a seed greater by the tokens so far.
   */
  constructor(key: ChainHash, prompt: readonly number[], seed?: number) {
    this.#prompt = prompt;
    this.#seed = seed;
    this.#hash = key;
    const whole = prompt.length - (prompt.length % blockTokens);
    for (let from = 0; from < whole; from += blockTokens) {
      this.#hash = hashTokenBlock(this.#hash, prompt, from, from + blockTokens);
    }
    for (let i = whole; i < prompt.length; i++) this.#rest.push(prompt[i] as number);
  }

  /** @param output The output so far, which begins with that of the last call. */
  follow(output: readonly number[]): void {
    this.#output = output;
    while (this.#outputTokens < output.length) {
      this.#rest.push(output[this.#outputTokens++] as number);
      if (this.#rest.length < blockTokens) continue;
      this.#hash = hashTokenBlock(this.#hash, this.#rest, 0, blockTokens);
      this.#rest.length = 0;
    }
  }

  /** A number in [0, 1) that depends on the whole history. @param purpose Different purposes have independent draws. */
  draw(purpose: number): number {
    const { length } = this.#rest;
    this.#rest.push(-1 - purpose);
    if (this.#seed !== undefined) this.#rest.push(this.#seed + this.#outputTokens);
    const hash = hashTokenBlock(this.#hash, this.#rest, 0, this.#rest.length);
    this.#rest.length = length;
    return hash / 2 ** 53;
  }

  /** The token `distance` places before the next one: 1 for the last; undefined before the beginning. */
  back(distance: number): number | undefined {
    const at = this.#output.length - distance;
    return at >= 0 ? this.#output[at] : this.#prompt[this.#prompt.length + at];
  }
}
