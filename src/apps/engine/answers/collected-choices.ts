// The choices of an answer in one piece, while they come.
import type { Sequence, TokenDelta } from '../sequence.ts';

export class CollectedChoices {
  /** In the order of their indexes. */
  sequences: readonly Sequence[] = [];
  readonly #texts: string[] = [];
  readonly #ends: TokenDelta[] = [];
  readonly #keepsLastAlone: boolean;
  #open = 0;

  /** @param keepsLastAlone Of each choice its last piece stands for all. */
  constructor(keepsLastAlone = false) {
    this.#keepsLastAlone = keepsLastAlone;
  }

  start(sequences: readonly Sequence[]): void {
    this.sequences = sequences;
    this.#open = sequences.length;
  }

  /** @returns Whether all choices are whole with it. */
  push(choice: number, delta: TokenDelta): boolean {
    const before = this.#keepsLastAlone ? '' : this.text(choice);
    this.#texts[choice] = before + delta.text;
    if (delta.finishReason === null) return false;
    this.#ends[choice] = delta;
    return --this.#open === 0;
  }

  text(choice: number): string {
    return this.#texts[choice] ?? '';
  }

  /** The last piece; undefined until it has come. */
  end(choice: number): TokenDelta | undefined {
    return this.#ends[choice];
  }
}
