// What the engine is asked to generate.
import type { Adapter } from '../adapters/adapters.ts';
import type { SequenceFamily, TokenDelta } from '../sequence.ts';

/** One sequence to generate, all defaults filled in. */
export interface GenerationOptions {
  /** The answer's id; the engine adds to it what makes it unique. */
  readonly id: string;
  /** What clients call the request when they abort it; several choices share it. */
  readonly externalId: string;
  /** The choices that answer one prompt. */
  readonly family: SequenceFamily;
  /** The LoRA adapter that it was asked of. */
  readonly adapter: Adapter | undefined;
  readonly prompt: readonly number[];
  /** By the engine's clock; sequences that come together share it, and so their first step. */
  readonly arrivalSeconds: number;
  readonly maxTokens: number;
  readonly minTokens: number;
  readonly ignoreEos: boolean;
  readonly stops: readonly string[];
  readonly stopTokens: readonly number[];
  readonly includeStop: boolean;
  readonly skipSpecialTokens: boolean;
  readonly priority: number;
  readonly cacheSalt: string | undefined;
  /** Announced with the KV blocks. */
  readonly sessionId: string | undefined;
  /** Blocks found cached are announced too: vLLM's `kv_cache_report_mode: "full"`. */
  readonly reportsHits: boolean;
  /** Which of several answers to one prompt: each has its own text. */
  readonly choice: number;
  readonly seed: number | undefined;
  /** Answer exactly these tokens instead of synthetic text. */
  readonly script: readonly number[] | undefined;
  /** Whether reasoning comes before the answer. */
  readonly thinks: boolean;
  readonly logitBias: Readonly<Record<string, number>> | undefined;
  /** The only tokens that may be sampled. */
  readonly allowedTokens: readonly number[] | undefined;
  readonly onDelta: (delta: TokenDelta) => void;
  /** The answer will not be complete. */
  readonly onFail: () => void;
}
