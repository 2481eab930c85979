// What an embedded engine can be told: vLLM's settings under vLLM's names, and ours.
import type { EngineConfig, StepCostModel } from '../../core/engine/index.ts';
import type { Tokenizer } from '../../core/tokenizer/index.ts';

export interface EngineServerOptions {
  /** @default '127.0.0.1' */
  readonly host?: string;
  /** 0 takes a free one. @default 8000 */
  readonly port?: number;
  /** Name or path of the model; also `root` in /v1/models. */
  readonly model: string;
  /** Names under which it is served. @default [model] */
  readonly servedModelNames?: readonly string[];
  /** Blocks, limits and policy of the engine model. */
  readonly config: EngineConfig;
  /** How long a step takes. */
  readonly cost: StepCostModel;
  readonly tokenizer: Tokenizer;
  /** GPU seconds per wall second. @default 1 */
  readonly timeScale?: number;
  /** Seed of the synthetic text. @default 0 */
  readonly seed?: number;
  /** vLLM's `--enable-prompt-tokens-details`: cached tokens in `usage`. @default false */
  readonly enablePromptTokensDetails?: boolean;
}
