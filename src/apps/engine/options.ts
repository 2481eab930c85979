// The options of an embedded engine: vLLM's settings with vLLM's names, and our own.

import type { GrammarBackend } from '../../core/api/index.ts';
import type { CorsSettings } from '../../core/cors/index.ts';
import type { EngineConfig, StepCostModel, StepLoad } from '../../core/engine/index.ts';
import type { BlockHashAlgorithm } from '../../core/kv/index.ts';
import type { Tokenizer } from '../../core/tokenizer/index.ts';
import type { KvEventsConfig } from '../../core/vllm-config/index.ts';
import type { Tracing } from '../../io/otlp/index.ts';
import type { LoraOptions } from './adapters/adapters.ts';
import type { FaultOptions } from './faults/fault-options.ts';
import type { EngineTlsOptions } from './http/engine-tls.ts';
import type { TierOptions } from './tiers/tier-options.ts';

/** The fields of generation_config.json that vLLM uses. */
export interface SamplingDefaults {
  readonly temperature?: number;
  readonly top_p?: number;
  readonly top_k?: number;
  readonly min_p?: number;
  readonly repetition_penalty?: number;
  /** Tokens that end a response in addition to the tokenizer's own: `eos_token_id`. */
  readonly endTokens?: readonly number[];
}

/** Settings of the KV cache as given, before they are resolved. */
export interface GivenCacheSettings {
  readonly blockSize?: number | undefined;
  readonly numGpuBlocks?: number | undefined;
  readonly kvCacheMemoryBytes?: number | undefined;
  readonly gpuMemoryUtilization?: number | undefined;
  readonly offloadingGibibytes?: number | undefined;
  readonly offloadingBackend?: string | undefined;
}

/** A model that returns vectors or scores instead of text. */
export interface PoolingOptions {
  /** `embed`: vectors, and scores by comparing them. `score`: scores of pairs, by a cross-encoder. */
  readonly task: 'embed' | 'score';
  /** Length of a vector. */
  readonly dimensions: number;
  /** Lengths to which vectors may be shortened. @default they may not */
  readonly matryoshka?: 'any' | readonly number[] | undefined;
  /** Classes of a model that scores. @default one */
  readonly labels?: readonly string[] | undefined;
  /** Tokens around a prompt, where Qwen3's tokenizer stands in for one that adds them. @default none */
  readonly specials?: SpecialTokens | undefined;
}

/** Ids that an encoder's tokenizer puts before a text, between two texts, and behind. */
export interface SpecialTokens {
  readonly begin: number;
  readonly between: readonly number[];
  readonly end: number;
}

export interface EngineServerOptions {
  /** @default '127.0.0.1' */
  readonly host?: string;
  /** 0 picks a free port. @default 8000 */
  readonly port?: number;
  /** Serves https. @default plain HTTP */
  readonly tls?: EngineTlsOptions;
  /** Name or path of the model; also `root` in /v1/models. */
  readonly model: string;
  /** Names under which it is served. @default [model] */
  readonly servedModelNames?: readonly string[];
  /** Blocks, limits and policy of the engine model. */
  readonly config: EngineConfig;
  /** Number of emulated GPUs. @default 1 */
  readonly tensorParallelSize?: number;
  /** The duration of a step. */
  readonly cost: StepCostModel;
  readonly tokenizer: Tokenizer;
  /** Folder with the files of the tokenizer, which routers may read. @default they may not */
  readonly tokenizerFolder?: string;
  /** Rows of the model's output layer. @default the tokenizer's highest id + 1 */
  readonly vocabularySize?: number;
  /** Undefined for a model that generates text. */
  readonly pooling?: PoolingOptions | undefined;
  /** Operations and memory traffic of a step on one GPU. @default not counted */
  readonly stepEstimate?: (load: StepLoad) => {
    readonly flops: number;
    readonly readBytes: number;
    readonly writeBytes: number;
  };
  /** Whether and where KV events are published. @default not published */
  readonly kvEvents?: KvEventsConfig;
  /** PYTHONHASHSEED of the engine, where block hashes begin. @default vLLM's */
  readonly hashSeed?: string;
  /** Full hashes in KV events, as with VLLM_KV_EVENTS_USE_INT_BLOCK_HASHES=0. @default false */
  readonly rawKvEventHashes?: boolean;
  /** Tiers below the GPU's KV cache. @default none */
  readonly tier?: TierOptions | undefined;
  /** The given settings that `vllm:cache_config_info` reports. @default none */
  readonly givenCacheSettings?: GivenCacheSettings;
  /** How published blocks are named. @default 'sha256' */
  readonly prefixCachingHashAlgorithm?: BlockHashAlgorithm;
  /** GPU seconds per wall second; Infinity runs as fast as the machine can. @default 1 */
  readonly timeScale?: number;
  /** Seed of the synthetic text. @default 0 */
  readonly seed?: number;
  /** Seed of random faults. @default seed */
  readonly faultSeed?: number;
  /** Bearer token that /v1 requires. @default none */
  readonly apiKey?: string;
  /** Which pages of other origins may read responses. @default none */
  readonly cors?: CorsSettings;
  /** Maximum number of waiting and running requests; above it, new ones get 503. @default no limit */
  readonly maxNumQueuedReqs?: number;
  /** Prompt tokens in prefill from which new requests get 503. @default no limit */
  readonly maxNumQueuedTokens?: number;
  /** Tokens of an event of a stream whose request does not say. @default 1 */
  readonly streamInterval?: number;
  /** By default, no spans are sent. */
  readonly tracing?: Tracing;
  /** Reports cached tokens in `usage`. @default false */
  readonly enablePromptTokensDetails?: boolean;
  /** Whether /load counts requests; otherwise it reports 0. @default false */
  readonly enableServerLoadTracking?: boolean;
  /** Reports usage in every stream, even if not requested. @default false */
  readonly enableForceIncludeUsage?: boolean;
  /** Echoes X-Request-Id, or generates one. @default false */
  readonly enableRequestIdHeaders?: boolean;
  /** With `toolCallParser`, allows tools under `tool_choice: auto`. @default false */
  readonly enableAutoToolChoice?: boolean;
  /** vLLM's name of a parser, such as `hermes`; needed for any tool call. @default none */
  readonly toolCallParser?: string;
  /** The backend for constraints, from `--structured-outputs-config`. @default 'auto' */
  readonly grammarBackend?: GrammarBackend;
  /** vLLM's `--load-format dummy`: random weights, which never end a response by themselves. @default false */
  readonly dummyWeights?: boolean;
  /** Allows adapters to be loaded, as with `--enable-lora`. @default not allowed */
  readonly lora?: LoraOptions;
  /** Opens the routes of VLLM_ALLOW_RUNTIME_LORA_UPDATING=1. @default false */
  readonly allowRuntimeLoraUpdating?: boolean;
  /** Seconds without a byte after which a stream of chat or completions gets a comment. @default never */
  readonly sseKeepAliveSeconds?: number;
  /** Opens /start_profile and /stop_profile, as a profiler in `--profiler-config` does. @default false */
  readonly profiler?: boolean;
  /** Share of the KV blocks whose lifetimes are measured, as with `--kv-cache-metrics`. @default none */
  readonly kvCacheMetricsSample?: number;
  /** Opens the routes of VLLM_SERVER_DEV_MODE=1, such as /sleep. @default false */
  readonly devMode?: boolean;
  /** Opens the routes that accept or return tokens: render, derender, generate. @default false */
  readonly enableScaleOut?: boolean;
  /** Stores responses, as with VLLM_ENABLE_RESPONSES_API_STORE=1. @default false */
  readonly responsesStore?: boolean;
  /** Reports timings of the request in each response. @default false */
  readonly enablePerRequestMetrics?: boolean;
  /** vLLM's name of a parser, such as `qwen3`: responses start with reasoning. @default none */
  readonly reasoningParser?: string;
  /** The response of /tokenizer_info. @default the route is absent */
  readonly tokenizerInfo?: Readonly<Record<string, unknown>>;
  /** Sampling parameters of generation_config.json, for requests that set none. */
  readonly samplingDefaults?: SamplingDefaults;
  /** Time that running requests have to finish after SIGTERM, seconds. @default 0 */
  readonly shutdownTimeoutSeconds?: number;
  /** Injected faults. @default none */
  readonly faults?: FaultOptions;
  /** Receives one line per call, for example when the engine falls behind. @default nothing is logged */
  readonly log?: (line: string) => void;
  /** Called when the `crash` fault occurs; the port is already closed. */
  readonly onCrash?: () => void;
}
