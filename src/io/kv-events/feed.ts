// Feeds a KV index with the events of a changing set of engines.
import type { KvIndex, KvKnowledge } from '../../core/kv/index.ts';
import { type KvEventEndpoints, kvEventEndpoints } from '../../core/protocol/index.ts';
import { KvEventSource, type KvEventSourceState } from './source.ts';

export interface KvIndexFeedOptions {
  /**
   * Pause between queries of an engine without a live stream; one that reports no events is queried
   * after ten times this pause. @default 5000
   */
  readonly discoverMs?: number;
  /** Maximum wait for an engine's response to /kv_event_sources. @default 5000 */
  readonly requestTimeoutMs?: number;
  /** Passed to each source. */
  readonly reconnectMs?: number;
}

/** State of one engine's streams, for debugging. */
export interface KvIndexFeedState {
  /** Reason why there are no sources; undefined if there are. */
  readonly problem: string | undefined;
  /** Knowledge of the rank that is known least. */
  readonly knowledge: KvKnowledge;
  /** Number of blocks known to be on its GPU. */
  readonly blocks: number;
  /** One per data-parallel rank. */
  readonly sources: readonly (KvEventSourceState & { readonly endpoint: string })[];
}

/** Maximum size of a response of /kv_event_sources. */
const answerBytesMax = 256 * 1024;

interface Followed {
  problem: string | undefined;
  /** The current endpoints as text, to detect changes. */
  endpoints: string;
  sources: { readonly endpoint: string; readonly source: KvEventSource }[];
  /** Whether the engine responded that it has no events, or that it has no such route. */
  hasNone: boolean;
  timer: NodeJS.Timeout | undefined;
  readonly stop: AbortController;
  readonly authorization: () => string | undefined;
}

/**
 * Queries each engine at GET /kv_event_sources for the endpoints of its events, subscribes, and
 * queries again while a source is disconnected, because a restarted engine may use other ports. The
 * ranks of one engine feed one entry of the index, under the engine's URL.
 *
 * @example
 * const index = new KvIndex();
 * const feed = new KvIndexFeed(index);
 * feed.follow('http://10.0.0.7:8000'); // and createPolicy('kvaware', { random, kvIndex: index })
 */
export class KvIndexFeed {
  readonly #index: KvIndex;
  readonly #options: KvIndexFeedOptions;
  readonly #followed = new Map<string, Followed>();

  constructor(index: KvIndex, options: KvIndexFeedOptions = {}) {
    this.#index = index;
    this.#options = options;
  }

  /**
   * Starts to follow an engine; does nothing if it is followed already.
   *
   * @param endpoints The endpoints of its events, if they are known; otherwise the engine is
   * queried. Engines older than /kv_event_sources cannot be queried.
   * @param authorization Returns the value of `Authorization` for queries. @default none
   */
  follow(
    engineUrl: string,
    endpoints?: readonly KvEventEndpoints[],
    authorization: () => string | undefined = () => undefined,
  ): void {
    if (this.#followed.has(engineUrl)) return;
    const followed: Followed = {
      problem: 'not queried yet',
      endpoints: '',
      sources: [],
      hasNone: false,
      timer: undefined,
      stop: new AbortController(),
      authorization,
    };
    this.#followed.set(engineUrl, followed);
    this.#index.setKnowledge(engineUrl, 'none');
    if (endpoints === undefined) void this.#look(engineUrl, followed);
    else this.#subscribe(engineUrl, followed, endpoints);
  }

  /**
   * Stops following an engine, and removes it from the index. It may be followed again at once:
   * events that its old sources deliver while they close are dropped.
   */
  async unfollow(engineUrl: string): Promise<void> {
    const followed = this.#followed.get(engineUrl);
    if (followed === undefined) return;
    this.#followed.delete(engineUrl);
    followed.stop.abort();
    clearTimeout(followed.timer);
    this.#index.removeEngine(engineUrl);
    await closeSources(followed);
  }

  /** State of each engine, by URL. */
  get state(): ReadonlyMap<string, KvIndexFeedState> {
    const states = new Map<string, KvIndexFeedState>();
    for (const [url, { problem, sources }] of this.#followed) {
      states.set(url, {
        problem,
        knowledge: this.#index.knowledgeOf(url),
        blocks: this.#index.blocksOf(url),
        sources: sources.map(({ endpoint, source }) => ({ endpoint, ...source.state })),
      });
    }
    return states;
  }

  async close(): Promise<void> {
    await Promise.all([...this.#followed.keys()].map((url) => this.unfollow(url)));
  }

  /** Subscribes if necessary, and schedules the next query. */
  async #look(engineUrl: string, followed: Followed): Promise<void> {
    const isConnected =
      followed.sources.length > 0 && followed.sources.every(({ source }) => source.state.connected);
    if (!isConnected) await this.#discover(engineUrl, followed);
    if (followed.stop.signal.aborted) return;
    const { discoverMs = 5000 } = this.#options;
    const pauseMs = followed.hasNone ? 10 * discoverMs : discoverMs;
    followed.timer = setTimeout(() => this.#look(engineUrl, followed), pauseMs);
  }

  async #discover(engineUrl: string, followed: Followed): Promise<void> {
    const { requestTimeoutMs = 5000 } = this.#options;
    let found: KvEventEndpoints[];
    try {
      const timeout = AbortSignal.timeout(requestTimeoutMs);
      const signal = AbortSignal.any([timeout, followed.stop.signal]);
      found = await askEndpoints(engineUrl, signal, followed.authorization());
    } catch (error) {
      followed.hasNone = error instanceof NoSuchRouteError;
      // Existing sources keep reconnecting by themselves.
      if (followed.sources.length === 0) followed.problem = messageOf(error);
      return;
    }
    if (followed.stop.signal.aborted) return;
    followed.hasNone = found.length === 0;
    const endpoints = JSON.stringify(found);
    if (endpoints === followed.endpoints && found.length > 0) return;
    await closeSources(followed);
    if (followed.stop.signal.aborted) return;
    this.#index.clear(engineUrl);
    this.#index.setKnowledge(engineUrl, 'none');
    followed.endpoints = endpoints;
    this.#subscribe(engineUrl, followed, found);
  }

  #subscribe(engineUrl: string, followed: Followed, endpoints: readonly KvEventEndpoints[]): void {
    const { reconnectMs } = this.#options;
    followed.problem = endpoints.length > 0 ? undefined : 'it publishes no KV events';
    const knowledge = new Array<KvKnowledge>(endpoints.length).fill('none');
    const { signal } = followed.stop;
    followed.sources = endpoints.map(({ endpoint, replayEndpoint, topic }, i) => ({
      endpoint,
      source: new KvEventSource({
        endpoint,
        replayEndpoint,
        topic,
        reconnectMs,
        onBatch: ({ events }) => {
          if (!signal.aborted) this.#index.apply(engineUrl, events);
        },
        onReset: () => {
          if (!signal.aborted) this.#index.clear(engineUrl);
        },
        onKnowledge: (now) => {
          if (signal.aborted) return;
          knowledge[i] = now;
          this.#index.setKnowledge(engineUrl, leastOf(knowledge));
        },
      }),
    }));
  }
}

/** Returns the knowledge of an engine from that of its ranks. */
function leastOf(knowledge: readonly KvKnowledge[]): KvKnowledge {
  if (knowledge.includes('none')) return 'none';
  return knowledge.includes('partial') ? 'partial' : 'exact';
}

/** Engines older than /kv_event_sources respond with 404. */
class NoSuchRouteError extends Error {}

async function closeSources(followed: Followed): Promise<void> {
  const { sources } = followed;
  followed.sources = [];
  await Promise.all(sources.map(({ source }) => source.close()));
}

async function askEndpoints(
  engineUrl: string,
  signal: AbortSignal,
  authorization: string | undefined,
): Promise<KvEventEndpoints[]> {
  const url = new URL('kv_event_sources', engineUrl.endsWith('/') ? engineUrl : `${engineUrl}/`);
  const response = await fetch(url, {
    ...{ signal, redirect: 'error' },
    ...(authorization !== undefined && { headers: { authorization } }),
  });
  if (!response.ok) {
    await response.body?.cancel();
    const message = `GET ${url} returned ${response.status}`;
    throw response.status === 404 ? new NoSuchRouteError(message) : new Error(message);
  }
  const chunks: Uint8Array[] = [];
  let bytes = 0;
  for await (const chunk of response.body ?? []) {
    bytes += chunk.length;
    if (bytes > answerBytesMax)
      throw new Error(`GET ${url} returned more than ${answerBytesMax} bytes`);
    chunks.push(chunk);
  }
  return kvEventEndpoints(JSON.parse(Buffer.concat(chunks).toString()), url.hostname);
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
