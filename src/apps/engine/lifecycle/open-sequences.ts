// The sequences that have not ended, and whether more may come.
import { shuttingDown, tooManyRequests, tooManyTokens } from '../generation/admission-errors.ts';
import type { Sequence } from '../sequence.ts';

export interface QueueLimits {
  readonly maxNumQueuedReqs?: number | undefined;
  /** Of prompts without a token out; one more is taken while there are fewer. */
  readonly maxNumQueuedTokens?: number | undefined;
}

/** Bounded by the limits only, as in vLLM. */
export class OpenSequences implements Iterable<Sequence> {
  readonly #limits: QueueLimits;
  readonly #sequences = new Set<Sequence>();
  /** Of prompts without a token out. */
  #promptTokens = 0;
  #isDraining = false;
  #onEmpty: (() => void) | undefined;

  constructor(limits: QueueLimits) {
    this.#limits = limits;
  }

  [Symbol.iterator](): Iterator<Sequence> {
    return this.#sequences[Symbol.iterator]();
  }

  /**
   * Whether `sequences` more may come.
   *
   * @param onRejected Called with the limit that is reached.
   * @throws {ApiError} 503 over a limit, 500 while draining.
   */
  checkRoom(sequences: number, onRejected: (limit: QueueLimitName) => void): void {
    if (this.#isDraining) throw shuttingDown();
    const { maxNumQueuedReqs, maxNumQueuedTokens } = this.#limits;
    if (maxNumQueuedReqs !== undefined && this.#sequences.size + sequences > maxNumQueuedReqs) {
      onRejected('max_num_queued_reqs');
      throw tooManyRequests();
    }
    if (maxNumQueuedTokens !== undefined && this.#promptTokens >= maxNumQueuedTokens) {
      onRejected('max_num_queued_tokens');
      throw tooManyTokens();
    }
  }

  add(sequence: Sequence): void {
    this.#sequences.add(sequence);
    this.#promptTokens += sequence.promptTokens;
  }

  /** Its first token is about to come. */
  prefilled({ promptTokens }: Sequence): void {
    this.#promptTokens -= promptTokens;
  }

  /** @returns False if it has ended before. */
  delete(sequence: Sequence): boolean {
    if (!this.#sequences.delete(sequence)) return false;
    if (sequence.output.length === 0) this.#promptTokens -= sequence.promptTokens;
    if (this.#sequences.size === 0) this.#onEmpty?.();
    return true;
  }

  /** Takes no more; resolves when those there are have ended. */
  drain(): Promise<void> {
    this.#isDraining = true;
    return new Promise((resolve) => {
      if (this.#sequences.size === 0) resolve();
      else this.#onEmpty = resolve;
    });
  }

  clear(): void {
    this.#sequences.clear();
  }
}

type QueueLimitName = 'max_num_queued_reqs' | 'max_num_queued_tokens';
