// An engine as the router sees it: an entry of /engines, and of the view of the router.
import {
  boolean,
  listOf,
  nullable,
  number,
  objectOf,
  oneOf,
  parserOf,
  text,
} from './json-shape.ts';
import { type LatenciesView, latencies } from './latencies-view.ts';

/**
 * - `starting`: not yet seen healthy; gets no requests.
 * - `live`: gets requests.
 * - `asleep`: its owner put it to sleep; gets no requests until it is awake.
 * - `draining`: finishes what it has, gets no new requests.
 * - `dead`: does not respond; gets no requests until it does.
 */
export type EngineState = 'starting' | 'live' | 'asleep' | 'draining' | 'dead';

/** Counts of requests that were sent to an engine. */
export interface LoadView {
  /** Sent and not finished. */
  readonly inflight: number;
  /** Of these, those without a first byte of the response. */
  readonly prefilling: number;
  /** Their prompt tokens that are not expected to be cached. */
  readonly prefillTokens: number;
  /** Context tokens of the requests past their first byte. */
  readonly decodeTokens: number;
}

/** What an engine last reported on /metrics. Null: it does not report it. Counters are since its start. */
export interface ReportedView {
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

/** Rates over the last ten seconds, or since the report before the last one. */
export interface EngineRatesView {
  readonly promptTokensPerSecond: number;
  readonly generationTokensPerSecond: number;
  /** Share of prompt tokens found in the prefix cache; null if none were looked up. */
  readonly hitRate: number | null;
  /** Prompt tokens found in HBM, and in tiers below it: host memory, disk, other engines. */
  readonly hbmHitTokensPerSecond: number;
  readonly lowerTierTokensPerSecond: number;
}

/**
 * How much of an engine's cache is known from its KV events: `complete`, `partial` if some were missed,
 * `none` while its event stream is not connected.
 */
export type KvCoverage = 'complete' | 'partial' | 'none';

export interface KvEventsView {
  readonly coverage: KvCoverage;
  /** Blocks known to be on its GPU. */
  readonly blocks: number;
  /** Why there is no event stream; null if there is one. */
  readonly problem: string | null;
}

/** Counts of requests since the engine was added. */
export interface EngineTotalsView {
  /** Sent to it, retries included. */
  readonly requests: number;
  /** Requests that failed there. */
  readonly errors: number;
  /** The part of `requests` that was sent here after another engine had failed. */
  readonly retries: number;
  /** Responses with a status of 400 to 499. */
  readonly clientErrors: number;
  /** Responses with a status of 500 or above, and those that broke off. */
  readonly serverErrors: number;
}

/** An entry of /engines: upstream's fields first, then ours. */
export interface EngineView {
  readonly engine_id: string;
  readonly serving_models: readonly string[];
  /** Unix time in seconds at which the router got to know it. */
  readonly created: number;
  readonly url: string;
  /** Its name in logs, headers and views; its address by default. */
  readonly name: string;
  /** Whether it is an emulation without a GPU; null before its first response. */
  readonly emulated: boolean | null;
  readonly state: EngineState;
  /** Why it is in this state. */
  readonly reason: string;
  /** Time since its state last changed. */
  readonly stateSeconds: number;
  /** Whether it is live but gets only trial requests because too many failed there. */
  readonly ejected: boolean;
  /** Sent by all routers that share their attempts. */
  readonly load: LoadView;
  /** Sent by this router. */
  readonly ownLoad: LoadView;
  /** Null before its first report. */
  readonly reported: ReportedView | null;
  /** Null before its second report, and while it is dead. */
  readonly rates: EngineRatesView | null;
  readonly totals: EngineTotalsView;
  readonly latencies: LatenciesView;
  /** Null where the policy does not follow KV events. */
  readonly kvEvents: KvEventsView | null;
}

/**
 * The engine's report if it still describes the engine: that of a dead or starting engine is stale, and no
 * total may contain it.
 */
export function currentReport({ state, reported }: EngineView): ReportedView | null {
  return state === 'dead' || state === 'starting' ? null : reported;
}

const load = objectOf<LoadView>({
  inflight: number,
  prefilling: number,
  prefillTokens: number,
  decodeTokens: number,
});

const reported = objectOf<ReportedView>({
  ageSeconds: number,
  running: nullable(number),
  waiting: nullable(number),
  kvUsage: nullable(number),
  blocksTotal: nullable(number),
  blocksUsed: nullable(number),
  prefixCacheQueries: nullable(number),
  prefixCacheHits: nullable(number),
  preemptions: nullable(number),
  promptTokens: nullable(number),
  generationTokens: nullable(number),
});

const engine = objectOf<EngineView>({
  engine_id: text,
  serving_models: listOf(text),
  created: number,
  url: text,
  name: text,
  emulated: nullable(boolean),
  state: oneOf(['starting', 'live', 'asleep', 'draining', 'dead']),
  reason: text,
  stateSeconds: number,
  ejected: boolean,
  load,
  ownLoad: load,
  reported: nullable(reported),
  rates: nullable(
    objectOf<EngineRatesView>({
      promptTokensPerSecond: number,
      generationTokensPerSecond: number,
      hitRate: nullable(number),
      hbmHitTokensPerSecond: number,
      lowerTierTokensPerSecond: number,
    }),
  ),
  totals: objectOf<EngineTotalsView>({
    requests: number,
    errors: number,
    retries: number,
    clientErrors: number,
    serverErrors: number,
  }),
  latencies,
  kvEvents: nullable(
    objectOf<KvEventsView>({
      coverage: oneOf(['complete', 'partial', 'none']),
      blocks: number,
      problem: nullable(text),
    }),
  ),
});

export const engines = listOf(engine);

/** Reads /engines. @throws {JsonShapeError} If it is none; says where. */
export const parseEngineViews: (json: string) => readonly EngineView[] = parserOf(engines);
