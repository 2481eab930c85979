// One sequence for the engine model to generate, and how it ends.
import type { BlockKey } from '../kv/index.ts';

/** One sequence to generate. A request with `n` > 1 is that many of them. */
export interface EngineRequest {
  readonly id: string;
  readonly promptTokens: number;
  /** Output tokens after which the request ends, at least 1. */
  readonly maxTokens: number;
  /** Lower is more urgent; used by the priority policy only. */
  readonly priority: number;
  readonly arrivalSeconds: number;
  /** LoRA adapter that the request needs; a step has at most `maxLoras` of them. */
  readonly adapterId?: number | undefined;
  /** Whether the listener is called with the blocks that each lookup finds. @default false */
  readonly reportsHits?: boolean | undefined;
  /**
   * Chained key of full block `index`, prompt tokens first, then output tokens. Called only once all tokens of that
   * block are known, and at most once per block unless the key is a number.
   */
  blockKey(index: number): BlockKey;
}

/** Why a request left the engine; the values of vLLM's `finish_reason`. */
export type FinishReason = 'stop' | 'length' | 'abort';
