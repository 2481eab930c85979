// Collects the choices of a non-streamed response.
import type { GeneratedSequence, TokenDelta } from '../sequences/generated-sequence.ts';

export class CollectedChoices {
  /** In the order of their indexes. */
  sequences: readonly GeneratedSequence[] = [];
  readonly #texts: string[] = [];
  readonly #ends: TokenDelta[] = [];
  readonly #keepsLastAlone: boolean;
  #open = 0;

  /** @param keepsLastAlone Whether only the last piece of each choice is kept. */
  constructor(keepsLastAlone = false) {
    this.#keepsLastAlone = keepsLastAlone;
  }

  start(sequences: readonly GeneratedSequence[]): void {
    this.sequences = sequences;
    this.#open = sequences.length;
  }

  /** @returns Whether all choices are now complete. */
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

  /** The last piece; undefined until it arrives. */
  end(choice: number): TokenDelta | undefined {
    return this.#ends[choice];
  }
}
