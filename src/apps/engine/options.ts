// What an embedded engine can be told: vLLM's settings under vLLM's names, and ours.

import type { GrammarBackend } from '../../core/api/index.ts';
import type { EngineConfig, StepCostModel, StepLoad } from '../../core/engine/index.ts';
import type { BlockHashAlgorithm } from '../../core/kv/index.ts';
import type { KvEventsConfig } from '../../core/protocol/index.ts';
import type { Tokenizer } from '../../core/tokenizer/index.ts';
import type { LoraOptions } from './adapters/adapters.ts';
import type { FaultOptions } from './faults/fault-options.ts';
import type { CorsSettings } from './http/cors.ts';
import type { TierOptions } from './tiers/tier-options.ts';

/** The fields of generation_config.json that vLLM takes over. */
export interface SamplingDefaults {
  readonly temperature?: number;
  readonly top_p?: number;
  readonly top_k?: number;
  readonly min_p?: number;
  readonly repetition_penalty?: number;
  /** Tokens that end an answer besides the tokenizer's own: `eos_token_id`. */
  readonly endTokens?: readonly number[];
}

/** Settings of the KV cache as they were given, not as they came out. */
export interface GivenCacheSettings {
  readonly blockSize?: number | undefined;
  readonly numGpuBlocks?: number | undefined;
  readonly kvCacheMemoryBytes?: number | undefined;
  readonly gpuMemoryUtilization?: number | undefined;
  readonly offloadingGibibytes?: number | undefined;
  readonly offloadingBackend?: string | undefined;
}

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
  /** GPUs that it stands for. @default 1 */
  readonly tensorParallelSize?: number;
  /** How long a step takes. */
  readonly cost: StepCostModel;
  readonly tokenizer: Tokenizer;
  /** Rows of the model's output layer. @default the tokenizer's highest id + 1 */
  readonly vocabularySize?: number;
  /** Operations and memory traffic of a step on one GPU. @default not counted */
  readonly stepEstimate?: (load: StepLoad) => {
    readonly flops: number;
    readonly readBytes: number;
    readonly writeBytes: number;
  };
  /** Whether and where KV events are published. @default not */
  readonly kvEvents?: KvEventsConfig;
  /** PYTHONHASHSEED of the engine, where block hashes begin. @default vLLM's */
  readonly hashSeed?: string;
  /** Whole hashes in KV events, as with VLLM_KV_EVENTS_USE_INT_BLOCK_HASHES=0. @default false */
  readonly rawKvEventHashes?: boolean;
  /** What lies below the GPU's KV cache. @default nothing */
  readonly tier?: TierOptions | undefined;
  /** What `vllm:cache_config_info` says was given. @default nothing */
  readonly givenCacheSettings?: GivenCacheSettings;
  /** How published blocks are named. @default 'sha256' */
  readonly prefixCachingHashAlgorithm?: BlockHashAlgorithm;
  /** GPU seconds per wall second; Infinity runs as fast as the machine can. @default 1 */
  readonly timeScale?: number;
  /** Seed of the synthetic text and of the faults' dice. @default 0 */
  readonly seed?: number;
  /** Bearer token that /v1 asks for. @default none */
  readonly apiKey?: string;
  /** Which pages of other origins may read answers. @default none */
  readonly cors?: CorsSettings;
  /** Requests waiting or running past which new ones get 503. @default no limit */
  readonly maxNumQueuedReqs?: number;
  /** Prompt tokens in prefill from which new requests get 503. @default no limit */
  readonly maxNumQueuedTokens?: number;
  /** Cached tokens in `usage`. @default false */
  readonly enablePromptTokensDetails?: boolean;
  /** /load counts requests; else it is 0. @default false */
  readonly enableServerLoadTracking?: boolean;
  /** Usage in every stream, asked for or not. @default false */
  readonly enableForceIncludeUsage?: boolean;
  /** Echo X-Request-Id, or make one. @default false */
  readonly enableRequestIdHeaders?: boolean;
  /** With `toolCallParser`, allows tools under `tool_choice: auto`. @default false */
  readonly enableAutoToolChoice?: boolean;
  /** vLLM's name of a parser, such as `hermes`; needed for any tool call. @default none */
  readonly toolCallParser?: string;
  /** What `--structured-outputs-config` says of constraints. @default 'auto' */
  readonly grammarBackend?: GrammarBackend;
  /** vLLM's `--load-format dummy`: random weights, which never end an answer by themselves. @default false */
  readonly dummyWeights?: boolean;
  /** Adapters can be loaded, as with `--enable-lora`. @default they cannot */
  readonly lora?: LoraOptions;
  /** Opens the routes of VLLM_ALLOW_RUNTIME_LORA_UPDATING=1. @default false */
  readonly allowRuntimeLoraUpdating?: boolean;
  /** Seconds without a byte after which a stream of chat or completions gets a comment. @default never */
  readonly sseKeepAliveSeconds?: number;
  /** Opens /start_profile and /stop_profile, as a profiler in `--profiler-config` does. @default false */
  readonly profiler?: boolean;
  /** Share of the KV blocks whose lives are measured, as with `--kv-cache-metrics`. @default none */
  readonly kvCacheMetricsSample?: number;
  /** Opens the routes of VLLM_SERVER_DEV_MODE=1, such as /sleep. @default false */
  readonly devMode?: boolean;
  /** Opens the routes that take or give tokens: render, derender, generate. @default false */
  readonly enableScaleOut?: boolean;
  /** Responses are kept, as with VLLM_ENABLE_RESPONSES_API_STORE=1. @default false */
  readonly responsesStore?: boolean;
  /** Timings of the request in each answer. @default false */
  readonly enablePerRequestMetrics?: boolean;
  /** vLLM's name of a parser, such as `qwen3`: answers think before they speak. @default none */
  readonly reasoningParser?: string;
  /** What /tokenizer_info tells. @default the route is absent */
  readonly tokenizerInfo?: Readonly<Record<string, unknown>>;
  /** Sampling parameters of generation_config.json, for requests that give none. */
  readonly samplingDefaults?: SamplingDefaults;
  /** How long SIGTERM lets running requests finish, seconds. @default 0 */
  readonly shutdownTimeoutSeconds?: number;
  /** What goes wrong on purpose. @default nothing */
  readonly faults?: FaultOptions;
  /** One line per call, such as that the engine falls behind. @default nothing is logged */
  readonly log?: (line: string) => void;
  /** The `crash` fault struck; the port is closed already. */
  readonly onCrash?: () => void;
}
