// The sequences that have not ended, and the limits on new ones.
import { ApiError } from '../../../core/api/index.ts';
import type { GeneratedSequence } from './generated-sequence.ts';

export interface QueueLimits {
  readonly maxNumQueuedReqs?: number | undefined;
  /**
   * Maximum number of tokens of prompts without a sampled token; while below it, one more is
   * accepted.
   */
  readonly maxNumQueuedTokens?: number | undefined;
}

/** Bounded by the limits only, as in vLLM. */
export class OpenSequences implements Iterable<GeneratedSequence> {
  readonly #limits: QueueLimits;
  readonly #sequences = new Set<GeneratedSequence>();
  /** Number of tokens of prompts without a sampled token. */
  #promptTokens = 0;
  #isDraining = false;
  #onEmpty: (() => void) | undefined;

  constructor(limits: QueueLimits) {
    this.#limits = limits;
  }

  [Symbol.iterator](): Iterator<GeneratedSequence> {
    return this.#sequences[Symbol.iterator]();
  }

  /**
   * Checks that `sequences` more may be queued.
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

  add(sequence: GeneratedSequence): void {
    this.#sequences.add(sequence);
    this.#promptTokens += sequence.promptTokens;
  }

  /** Called before its first token. */
  prefilled({ promptTokens }: GeneratedSequence): void {
    this.#promptTokens -= promptTokens;
  }

  /** @returns False if it has already ended. */
  delete(sequence: GeneratedSequence): boolean {
    if (!this.#sequences.delete(sequence)) return false;
    if (sequence.output.length === 0) this.#promptTokens -= sequence.promptTokens;
    if (this.#sequences.size === 0) this.#onEmpty?.();
    return true;
  }

  /** Accepts no more sequences; resolves when the current ones have ended. */
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

/** Over `--max-num-queued-reqs`. */
function tooManyRequests(): ApiError {
  return new ApiError(
    503,
    'Service Unavailable',
    'The engine is currently busy and cannot accept new requests. Please try again later or on a different instance.',
  );
}

/** Over `--max-num-queued-tokens`. */
function tooManyTokens(): ApiError {
  return new ApiError(
    503,
    'Service Unavailable',
    'The engine has reached its prefill token backlog limit. Please try again later or on a different instance.',
  );
}

/** Returned between SIGTERM and the end; the message is that of Python's thread pool. */
function shuttingDown(): ApiError {
  return new ApiError(500, 'InternalServerError', 'cannot schedule new futures after shutdown');
}
