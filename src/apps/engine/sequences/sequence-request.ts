// A request to generate one sequence.
import type { Adapter } from '../adapters/adapters.ts';
import type { SequenceFamily, TokenDelta } from './generated-sequence.ts';
import type { KvTransfer } from './kv-transfer.ts';
import type { Script } from './token-source.ts';

/** One sequence to generate, with all defaults. */
export interface SequenceRequest {
  /** The response's id; the engine makes it unique. */
  readonly id: string;
  /** The id by which clients abort the request; several choices share it. */
  readonly externalId: string;
  /** The choices of one prompt. */
  readonly family: SequenceFamily;
  /** The requested LoRA adapter. */
  readonly adapter: Adapter | undefined;
  readonly prompt: readonly number[];
  /** On the engine's clock; sequences of one request share it, and so their first step. */
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
  /** Undefined if its KV stays on this engine. */
  readonly transfer: KvTransfer | undefined;
  /** Published with the KV blocks. */
  readonly sessionId: string | undefined;
  /** Whether blocks found in the cache are published too: vLLM's `kv_cache_report_mode: "full"`. */
  readonly reportsHits: boolean;
  /** Index among the responses to one prompt: each has different text. */
  readonly choice: number;
  readonly seed: number | undefined;
  /** Exact tokens of the response, instead of synthetic text. */
  readonly script: Script | undefined;
  /** Whether there is no response: the prompt is only computed. */
  readonly isPooled: boolean;
  /** Whether reasoning comes before the response. */
  readonly thinks: boolean;
  readonly logitBias: Readonly<Record<string, number>> | undefined;
  /** The only tokens that may be sampled. */
  readonly allowedTokens: readonly number[] | undefined;
  readonly onDelta: (delta: TokenDelta) => void;
  /** Called if the response will not be complete. */
  readonly onFail: () => void;
}
