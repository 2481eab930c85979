// The router's views of itself as JSON: /engines, /debug/router, /debug/picks, /debug/requests,
// /dashboard/events and /dashboard/history. The router responds with these types; `spillway up` and the
// page read them with the parsers below.
import {
  boolean,
  listOf,
  nullable,
  number,
  objectOf,
  oneOf,
  type ShapeReader,
  text,
} from './json-shape.ts';

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

/** Percentiles of one latency over the last minutes, in seconds. */
export interface QuantilesView {
  /** Number of values. */
  readonly count: number;
  readonly p50: number;
  readonly p90: number;
  readonly p99: number;
}

/** Latencies as the router measures them; null if no request of the window has one. */
export interface LatenciesView {
  /** Time to first token of streamed responses, from the arrival of the request. */
  readonly ttft: QuantilesView | null;
  /** Mean time per output token after the first, of streamed responses. */
  readonly tpot: QuantilesView | null;
  /** From the arrival of the request to the end of its response. */
  readonly e2e: QuantilesView | null;
}

export interface ModelLatenciesView extends LatenciesView {
  /** As clients name it. */
  readonly model: string;
}

/** The latencies of completed generation requests over the last minutes. */
export interface RouterLatenciesView {
  /** Length of the window. */
  readonly windowSeconds: number;
  readonly all: LatenciesView;
  /** By model, the one with the most requests first. */
  readonly models: readonly ModelLatenciesView[];
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
 * - `connecting`: no stream of its attempts.
 * - `connected`: its attempts are counted.
 * - `self`: the address is that of this router.
 * - `duplicate`: the router is connected at another address.
 */
export type PeerState = 'connecting' | 'connected' | 'self' | 'duplicate';

/** One address of a router that attempts are shared with. */
export interface PeerView {
  readonly url: string;
  readonly address: string;
  readonly state: PeerState;
  /** Its id while it is connected. */
  readonly router: string | null;
  /** Why it is not connected; null if it is. */
  readonly problem: string | null;
  /** Delay of its latest update over the fastest one in 30 s. */
  readonly delaySeconds: number | null;
}

export interface PeersView {
  /** This router's id among routers, new with each start. */
  readonly id: string;
  /** Routers that listen to this one. */
  readonly listeners: number;
  /** Listeners disconnected because they read too slowly. */
  readonly listenersDropped: number;
  readonly peers: readonly PeerView[];
  /** Engines that only other routers have. */
  readonly unknownEngines: readonly string[];
}

/** Requests that wait in the router while all engines of their model are saturated. */
export interface QueueView {
  /** Number of waiting requests, of all models. */
  readonly waiting: number;
  /** Time that the one which has waited longest has waited. */
  readonly oldestSeconds: number;
  /** Requests rejected since the router started. */
  readonly rejected: number;
  /** The most urgent priorities with waiting requests, in order; lower numbers are more urgent. */
  readonly byPriority: readonly QueuePriorityView[];
}

export interface QueuePriorityView {
  readonly priority: number;
  readonly waiting: number;
}

/** The whole of /debug/router, and an event of /dashboard/events. */
export interface RouterView {
  readonly policy: string;
  readonly version: string;
  readonly uptimeSeconds: number;
  /** Requests received. */
  readonly requests: number;
  /** Requests that failed: refused ones, and those that failed on an engine. */
  readonly errors: number;
  /** Responses with a status of 400 to 499, the router's own included. */
  readonly clientErrors: number;
  /** Responses with a status of 500 or above, the router's own included, and those that broke off. */
  readonly serverErrors: number;
  readonly requestsPerSecond: number;
  /** Sent by this router and not finished. */
  readonly inflight: number;
  /** Null if requests never wait in the router. */
  readonly queue: QueueView | null;
  readonly latencies: RouterLatenciesView;
  /** Null if attempts are not shared. */
  readonly routers: PeersView | null;
  readonly engines: readonly EngineView[];
}

/** An entry of /debug/picks. */
export interface PickView {
  /** By the router's monotonic clock. */
  readonly atSeconds: number;
  readonly requestId: string;
  /** Null if the request named none. */
  readonly model: string | null;
  readonly promptTokens: number;
  readonly url: string;
  /** Name of the engine. */
  readonly engine: string;
  /** Why this engine. */
  readonly reason: string;
  /** Prompt tokens that were expected to be cached there. */
  readonly cachedTokens: number;
  /** URLs of the candidates, aligned with `scores`. */
  readonly candidates: readonly string[];
  /** Null where the policy has none. */
  readonly scores: readonly (number | null)[] | null;
}

/** How a request ended. `failed`: the engine, or the lack of one, is to blame. */
export type RequestOutcome = 'completed' | 'cancelled' | 'failed';

/** An entry of /debug/requests: a request that has ended. */
export interface RequestView {
  /** When it ended, by the router's monotonic clock. */
  readonly atSeconds: number;
  readonly requestId: string;
  /** Null if the request named none. */
  readonly model: string | null;
  /** URL and name of the last engine that it was sent to; null if it was refused before. */
  readonly url: string | null;
  readonly engine: string | null;
  readonly outcome: RequestOutcome;
  /** Of the response. */
  readonly status: number;
  /** Null if the response was not streamed. */
  readonly ttftSeconds: number | null;
  /** From its arrival to its end. */
  readonly seconds: number;
  /** Null if the response did not report them. */
  readonly outputTokens: number | null;
}

/** Fleet figures that /dashboard/history has a series of. Latencies are in seconds, over a minute. */
export const fleetSeriesNames = [
  'requestsPerSecond',
  'clientErrorsPerSecond',
  'serverErrorsPerSecond',
  'inflight',
  'running',
  'waiting',
  'generationTokensPerSecond',
  'kvUsageMean',
  'kvUsageMax',
  'ttftP50',
  'ttftP90',
  'ttftP99',
  'tpotP50',
  'tpotP90',
  'tpotP99',
  'e2eP50',
  'e2eP90',
  'e2eP99',
] as const;
export type FleetSeriesName = (typeof fleetSeriesNames)[number];

/** Figures of one engine that /dashboard/history has a series of. */
export const engineSeriesNames = [
  'requestsPerSecond',
  'generationTokensPerSecond',
  'hitRate',
  'running',
  'waiting',
  'kvUsage',
  'ttftP90',
] as const;
export type EngineSeriesName = (typeof engineSeriesNames)[number];

/** Values at regular intervals, oldest first; null where a value is unknown. */
export type SeriesView = readonly (number | null)[];

export interface EngineHistoryView {
  readonly url: string;
  readonly name: string;
  /** Shape [n]; shorter than `atSeconds` for an engine that was added later: aligned at the end. */
  readonly series: { readonly [Name in EngineSeriesName]: SeriesView };
}

/** The whole of /dashboard/history. */
export interface HistoryView {
  readonly intervalSeconds: number;
  /** Shape [n]; Unix time of each point, ascending. */
  readonly atSeconds: readonly number[];
  /** Each of shape [n]. */
  readonly fleet: { readonly [Name in FleetSeriesName]: SeriesView };
  /** The engines that the request named. */
  readonly engines: readonly EngineHistoryView[];
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

const quantiles = nullable(
  objectOf<QuantilesView>({ count: number, p50: number, p90: number, p99: number }),
);
const latencies = { ttft: quantiles, tpot: quantiles, e2e: quantiles };

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
    }),
  ),
  totals: objectOf<EngineTotalsView>({
    requests: number,
    errors: number,
    retries: number,
    clientErrors: number,
    serverErrors: number,
  }),
  latencies: objectOf<LatenciesView>(latencies),
  kvEvents: nullable(
    objectOf<KvEventsView>({
      coverage: oneOf(['complete', 'partial', 'none']),
      blocks: number,
      problem: nullable(text),
    }),
  ),
});

const peers = objectOf<PeersView>({
  id: text,
  listeners: number,
  listenersDropped: number,
  peers: listOf(
    objectOf<PeerView>({
      url: text,
      address: text,
      state: oneOf(['connecting', 'connected', 'self', 'duplicate']),
      router: nullable(text),
      problem: nullable(text),
      delaySeconds: nullable(number),
    }),
  ),
  unknownEngines: listOf(text),
});

const engines = listOf(engine);

const queue = objectOf<QueueView>({
  waiting: number,
  oldestSeconds: number,
  rejected: number,
  byPriority: listOf(objectOf<QueuePriorityView>({ priority: number, waiting: number })),
});

const router = objectOf<RouterView>({
  policy: text,
  version: text,
  uptimeSeconds: number,
  requests: number,
  errors: number,
  clientErrors: number,
  serverErrors: number,
  requestsPerSecond: number,
  inflight: number,
  queue: nullable(queue),
  latencies: objectOf<RouterLatenciesView>({
    windowSeconds: number,
    all: objectOf<LatenciesView>(latencies),
    models: listOf(objectOf<ModelLatenciesView>({ model: text, ...latencies })),
  }),
  routers: nullable(peers),
  engines,
});

const picks = listOf(
  objectOf<PickView>({
    atSeconds: number,
    requestId: text,
    model: nullable(text),
    promptTokens: number,
    url: text,
    engine: text,
    reason: text,
    cachedTokens: number,
    candidates: listOf(text),
    scores: nullable(listOf(nullable(number))),
  }),
);

const requests = listOf(
  objectOf<RequestView>({
    atSeconds: number,
    requestId: text,
    model: nullable(text),
    url: nullable(text),
    engine: nullable(text),
    outcome: oneOf(['completed', 'cancelled', 'failed']),
    status: number,
    ttftSeconds: nullable(number),
    seconds: number,
    outputTokens: nullable(number),
  }),
);

const series = listOf(nullable(number));

const history = objectOf<HistoryView>({
  intervalSeconds: number,
  atSeconds: listOf(number),
  fleet: objectOf<HistoryView['fleet']>(seriesOf(fleetSeriesNames)),
  engines: listOf(
    objectOf<EngineHistoryView>({
      url: text,
      name: text,
      series: objectOf<EngineHistoryView['series']>(seriesOf(engineSeriesNames)),
    }),
  ),
});

/** Reads /engines. @throws {JsonShapeError} If it is none; says where. */
export const parseEngineViews: (json: string) => readonly EngineView[] = parserOf(engines);

/** Reads /debug/router, or the data of an event. @throws {JsonShapeError} */
export const parseRouterView: (json: string) => RouterView = parserOf(router);

/** Reads /debug/picks. @throws {JsonShapeError} */
export const parsePickViews: (json: string) => readonly PickView[] = parserOf(picks);

/** Reads /debug/requests. @throws {JsonShapeError} */
export const parseRequestViews: (json: string) => readonly RequestView[] = parserOf(requests);

/** Reads /dashboard/history. @throws {JsonShapeError} */
export const parseHistoryView: (json: string) => HistoryView = parserOf(history);

function seriesOf<Name extends string>(names: readonly Name[]) {
  return Object.fromEntries(names.map((name) => [name, series])) as {
    [Key in Name]: typeof series;
  };
}

function parserOf<T>(read: ShapeReader<T>): (json: string) => T {
  return (json) => read(JSON.parse(json), '');
}
