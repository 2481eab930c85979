// What a routing policy sees and returns. Policies are pure: the production router and the
// simulator run the same objects.

/** What an engine does where prefill is disaggregated: it computes prompts, or it writes the responses. */
export type EngineRole = 'prefill' | 'decode';

/** What a policy may know of a request, all derived from the request's own bytes. */
export interface RoutingRequest {
  /** The request id that the client sees. */
  readonly id: string;
  readonly model: string | undefined;
  /** URL of the only engine that may serve it; undefined leaves the choice to the policy. */
  readonly pinnedUrl?: string | undefined;
  /** Whether that engine has what the request refers to: it gets the request also while it drains or sleeps. */
  readonly isKept?: boolean | undefined;
  /** The role of the engines that may serve it now; undefined for any. */
  readonly leg?: EngineRole | undefined;
  /** Value found under `--session-key`: header first, then body. */
  readonly session: string | undefined;
  /**
   * The raw bytes that decide the engine's KV cache, in the order in which a chat template
   * renders them: cache salt, tools, then messages or prompt. Empty for requests without a prompt.
   * Two requests whose prompts share a prefix share a prefix of these bytes.
   */
  readonly prompt: readonly Uint8Array[];
  /**
   * Names of the full blocks of `prompt`, for callers that have them without hashing its bytes: entry
   * i stands for blocks 0..i, and is equal for equal prefixes only. Undefined, or returning undefined,
   * if the bytes have to be hashed.
   */
  readonly promptBlockNames?: (blockBytes: number) => PromptBlockNames | undefined;
  /** Prompt length in tokens: exact if `tokens` is set, else estimated from its bytes. */
  readonly promptTokens: number;
  /** The prompt's token ids; set only if the policy asked for them (`Policy.needsTokens`). */
  readonly tokens: ArrayLike<number> | undefined;
  /** `cache_salt` of the request, if it has one: engines share no KV across salts. */
  readonly cacheSalt?: string | undefined;
  /** `max_tokens` of the request, if it has one. */
  readonly outputTokensMax: number | undefined;
  /**
   * Whether the response is streamed. If not, its first byte arrives with its last, and says nothing
   * about the time to the first token.
   */
  readonly stream: boolean;
}

/** The full blocks of a prompt by name. */
export interface PromptBlockNames {
  readonly blockBytes: number;
  /** Entry i stands for blocks 0..i, and is the same in every router: names depend only on the bytes. */
  readonly hashes: Float64Array;
  /** Length of the whole prompt. */
  readonly promptBytes: number;
}

/** An engine as the router sees it. Its load is the router's exact count, live. */
export interface Endpoint {
  /** Stable name; the URL without a trailing slash. */
  readonly url: string;
  readonly models: readonly string[];
  /** Undefined where engines do the whole of a request. */
  readonly role?: EngineRole | undefined;
  readonly load: EndpointLoad;
  /** What the engine last reported on /metrics; undefined before the first report. */
  readonly reported: ReportedLoad | undefined;
}

/** The router's count of what was sent to one engine, by itself and by connected peer routers. */
export interface EndpointLoad {
  /** Requests sent and not finished. */
  readonly inflight: number;
  /** The part of them without a first byte yet. */
  readonly prefilling: number;
  /** Prompt tokens, not expected to be cached, of the requests without a first byte. */
  readonly prefillTokens: number;
  /** Context tokens (prompt, and output as far as known) of the requests past their first byte. */
  readonly decodeTokens: number;
}

/** An engine's own gauges, from its /metrics. */
export interface ReportedLoad {
  /** Changes in place while an engine reports the same again and again, so it is read, not kept. */
  readonly atSeconds: number;
  readonly running: number;
  readonly waiting: number;
  /** KV blocks in use, in [0, 1]. */
  readonly kvUsage: number;
  /** Size of its KV cache (`num_gpu_blocks` of `vllm:cache_config_info`), if it is reported. */
  readonly blocksTotal?: number | undefined;
  /** Tokens per block (`block_size` there), if it is reported. */
  readonly blockTokens?: number | undefined;
  /** Tokens of prompts that were found in HBM since the start, and in tiers below it, if they are reported. */
  readonly prefixCacheHits?: number | undefined;
  readonly lowerTierHits?: number | undefined;
  /** Tokens that were looked up in tiers below HBM; 0 without such tiers. */
  readonly lowerTierQueries?: number | undefined;
  /** `process_start_time_seconds`; a change means that the engine restarted with an empty cache. */
  readonly startedAtSeconds?: number | undefined;
}

/** What a policy's pick is due to: a cached prefix, the load of engines, the turn, or the session. */
export type PickGround = 'prefix' | 'load' | 'turn' | 'session';

/** A picked engine and the reason, which is shown in a response header and on the debug route. */
export interface Pick {
  readonly endpoint: Endpoint;
  /** One sentence in plain words, e.g. "longest cached prefix: 4096 of 6000 tokens". */
  readonly reason: string;
  /** The kind of reason. @default 'prefix' if tokens are expected to be cached, else 'load' */
  readonly ground?: PickGround;
  /** Prompt tokens that the policy expects the engine to have cached. */
  readonly cachedTokens: number;
  /** Per candidate, the number that decided (its unit is the policy's), for the debug route. */
  readonly scores: readonly number[] | undefined;
  /**
   * Predicted seconds from sending the request to the first byte of its stream, queue included. Undefined if the
   * policy predicts nothing, or has seen too little of the engine to be relied on.
   */
  readonly predictedSeconds?: number | undefined;
  /** The prompt's blocks, if the policy names them; published to peer routers. */
  readonly chain?: PromptBlockNames | undefined;
}

/** How a request ended, as far as the router saw. */
export interface Outcome {
  readonly status: 'completed' | 'cancelled' | 'failed';
  /** Of a completed request: the engine did no work for it, because of an error that is the client's. @default false */
  readonly isRefused?: boolean | undefined;
  /** From the response's usage, where the router saw one. */
  readonly promptTokens?: number | undefined;
  readonly cachedTokens?: number | undefined;
  readonly outputTokens?: number | undefined;
}

/** Picks an engine for each request. Hooks report the outcome of its picks. */
export interface Policy {
  /** The name in `--routing-logic`. */
  readonly name: string;
  /** Whether `RoutingRequest.tokens` must be set before `pick`; may change over time. */
  readonly needsTokens: boolean;
  /** Whether it reads an index that the caller must feed with the engines' KV events. */
  readonly readsKvEvents?: boolean;
  /** @param endpoints Live engines that serve the model; never empty. */
  pick(request: RoutingRequest, endpoints: readonly Endpoint[], nowSeconds: number): Pick;
  /**
   * Adopts a request that a peer router sent there: a pick as if it had been made here, with the hooks called
   * as for any other. Of the prompt, only its blocks' names may be known. Without this method the
   * hooks are called for our own requests only, and others are counted only in `Endpoint.load`.
   *
   * @param cachedTokens Tokens that the peer router expects in the engine's cache.
   */
  adopt?(request: RoutingRequest, endpoint: Endpoint, cachedTokens: number): Pick;
  /** The request was sent to the picked engine (again after a retry elsewhere). */
  onSent?(request: RoutingRequest, pick: Pick, nowSeconds: number): void;
  /** The first byte of the response body arrived, `seconds` after sending. */
  onFirstByte?(request: RoutingRequest, pick: Pick, seconds: number, nowSeconds: number): void;
  /** The request has its response from another engine, and `seconds` after sending, this one had sent no byte of it. */
  onOutrun?(request: RoutingRequest, pick: Pick, seconds: number, nowSeconds: number): void;
  onFinish?(request: RoutingRequest, pick: Pick, outcome: Outcome, nowSeconds: number): void;
  /** The engine reported its load: `endpoint.reported` is new. */
  onReport?(endpoint: Endpoint, nowSeconds: number): void;
  /**
   * Predicted time until the engine would start a request that is sent now, in seconds. Undefined if the
   * policy cannot say.
   */
  waitSeconds?(endpoint: Endpoint, nowSeconds: number): number | undefined;
  /** The engine restarted or was removed: assumptions about its cache are void. */
  onEndpointReset?(endpoint: Endpoint): void;
}
