// What the router says of itself and its engines on GET /debug/router.

/** One engine, as the router sees it. */
export interface EngineSnapshot {
  readonly engine_id: string;
  readonly url: string;
  readonly serving_models: readonly string[];
  readonly state: string;
  readonly reason: string;
  readonly load: {
    readonly inflight: number;
    readonly prefilling: number;
    readonly prefillTokens: number;
    readonly decodeTokens: number;
  };
  /** What the engine last said on /metrics. */
  readonly reported: ReportedSnapshot | null;
  readonly totals: { readonly requests: number; readonly errors: number; readonly retries: number };
}

/** Null: the engine does not say. Counters are since the engine's start. */
export interface ReportedSnapshot {
  readonly ageSeconds: number;
  readonly running: number | null;
  readonly waiting: number | null;
  /** KV blocks in use, in [0, 1]. */
  readonly kvUsage: number | null;
  readonly blocksTotal: number | null;
  readonly blocksUsed: number | null;
  /** Tokens looked up in the prefix cache, and of these the tokens found. */
  readonly prefixCacheQueries: number | null;
  readonly prefixCacheHits: number | null;
  readonly preemptions: number | null;
  readonly promptTokens: number | null;
  readonly generationTokens: number | null;
}

export interface RouterSnapshot {
  readonly policy: string;
  readonly version: string;
  readonly uptimeSeconds: number;
  readonly requests: number;
  readonly errors: number;
  readonly requestsPerSecond: number;
  /** Sent by this router and not finished; `load` of the engines holds other routers' as well. */
  readonly inflight: number;
  /** The other routers, if attempts are shared. */
  readonly routers?: {
    readonly peers: readonly { readonly state: 'heard' | 'waiting' | 'self' | 'twin' }[];
  } | null;
  readonly engines: readonly EngineSnapshot[];
}

/** One child process or remote engine of the stack. */
export interface ProcessSnapshot {
  readonly name: string;
  readonly kind: 'embedded' | 'vllm' | 'url' | 'router';
  readonly url: string;
  readonly model: string | undefined;
  /** `starting`, `ready`, `restarting`, `stopping`, `stopped`; `remote` if it is not ours. */
  readonly state: string;
  /** Why it is in this state, if there is more to say. */
  readonly detail: string;
  readonly pid: number | undefined;
  readonly restarts: number;
}

/** The whole stack at one moment. */
export interface StackSnapshot {
  readonly processes: readonly ProcessSnapshot[];
  /** Undefined while the router does not answer. */
  readonly router: RouterSnapshot | undefined;
}
