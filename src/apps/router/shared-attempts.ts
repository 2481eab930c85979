// Attempts shared with the other routers before the same engines: what this one sends they are told, and
// what they send is counted here.
import { randomUUID } from 'node:crypto';
import type { MetricsRegistry } from '../../core/metrics/index.ts';
import type { AttemptNews, RoutingCore } from '../../core/routing/index.ts';
import {
  NewsFeed,
  NewsStream,
  newsContentType,
  parsePeerUrl,
} from '../../io/attempt-news/index.ts';
import type { ServerExchange, Ticker } from '../../io/http/index.ts';
import type { Logger } from '../../io/log/index.ts';
import { answer, answerError } from './answer.ts';
import type { PeerOptions } from './options.ts';

/** Most engines of others that are remembered as not ours, to be told once each. */
const unknownEnginesMax = 64;

export class SharedAttempts {
  /** This router's id among routers, new with each start. */
  readonly #id = randomUUID();
  readonly #core: RoutingCore;
  readonly #log: Logger;
  readonly #stream: NewsStream;
  readonly #feed: NewsFeed;
  /** An engine's URL as routers tell it to each other, to the URL that it has here. */
  readonly #ownUrls: ReadonlyMap<string, string>;
  readonly #unknownEngines = new Set<string>();
  readonly #metrics: ReturnType<typeof declareCounters>;

  /** @throws {InputError} If a peer's URL is none. */
  constructor(options: {
    readonly peers: PeerOptions;
    readonly core: RoutingCore;
    readonly engineUrls: Iterable<string>;
    readonly ticker: Ticker;
    readonly registry: MetricsRegistry;
    readonly log: Logger;
  }) {
    const { peers, core, ticker, registry, log } = options;
    const metrics = declareCounters(registry);
    this.#metrics = metrics;
    this.#core = core;
    this.#log = log;
    this.#ownUrls = new Map(Array.from(options.engineUrls, (url) => [sharedUrl(url), url]));
    const sharedUrls = new Map(Array.from(this.#ownUrls, ([shared, url]) => [url, shared]));
    this.#stream = new NewsStream({
      router: this.#id,
      snapshot: () => core.snapshot(),
      sharedUrl: (url) => sharedUrls.get(url) ?? sharedUrl(url),
      onCut: () => metrics.listenersCut.inc(),
    });
    const { key, lookup, lookupMs } = peers;
    this.#feed = new NewsFeed({
      router: this.#id,
      peers: [...new Map(peers.urls.map(parsePeerUrl).map((peer) => [peer.url, peer])).values()],
      ...{ key, ticker, log, lookup, lookupMs },
      onNews: (router, news, agoSeconds) => this.#hear(router, news, agoSeconds),
      onLost: (router) => {
        core.forget(router);
        metrics.losses.inc();
      },
    });
    this.#declareGauges(registry);
  }

  /** Begins to hear the others: once this router listens. */
  start(): void {
    this.#feed.start();
  }

  /** Tells the others of an attempt of this router. */
  tell(news: AttemptNews): void {
    this.#stream.tell(news);
  }

  /** Another router listens. */
  addListener(exchange: ServerExchange): void {
    if (exchange.head.method === 'HEAD') answer(exchange, 200, newsContentType, '');
    else if (!this.#stream.add(exchange)) {
      answerError(exchange, { status: 503, message: 'This router takes no further listener.' });
    }
  }

  /** For /debug/router. */
  get view() {
    return {
      id: this.#id,
      listeners: this.#stream.listeners,
      listenersCut: this.#metrics.listenersCut.value,
      peers: this.#feed.state,
      unknownEngines: [...this.#unknownEngines],
    };
  }

  /** Hears no more, and tells until the attempts in flight have ended. */
  close(): void {
    this.#feed.close();
    this.#stream.endWhenIdle();
  }

  #hear(router: string, news: AttemptNews, agoSeconds: number): void {
    if (news.kind !== 'sent') {
      this.#core.hear(router, news, agoSeconds);
      return;
    }
    const url = this.#ownUrls.get(news.url);
    if (url === undefined) {
      this.#metrics.elsewhere.inc();
      this.#noteUnknown(router, news.url);
    } else {
      this.#metrics.counted.inc();
      this.#core.hear(router, { ...news, url }, agoSeconds);
    }
  }

  #noteUnknown(router: string, url: string): void {
    if (this.#unknownEngines.has(url) || this.#unknownEngines.size >= unknownEnginesMax) return;
    this.#unknownEngines.add(url);
    this.#log.warning(
      `router ${router} sends to ${url}, which is no engine of this router: its attempts there are ` +
        'not counted here; give all routers the same engines, by the same host names',
    );
  }

  #declareGauges(registry: MetricsRegistry): void {
    const peers = registry.gauge({
      name: 'spillway_router_peers',
      help: 'Addresses of other routers, by state: heard, waiting (not heard), self, twin.',
      labels: ['state'],
    });
    const lag = registry.gauge({
      name: 'spillway_router_peer_news_lag_seconds',
      help: 'By how much the last word of another router came later than its quickest of late.',
      labels: ['peer'],
    });
    const listeners = registry.gauge({
      name: 'spillway_router_peer_listeners',
      help: 'Routers that listen to this one.',
    });
    registry.onRender(() => {
      lag.clear();
      for (const state of ['heard', 'waiting', 'self', 'twin']) peers.with({ state }).set(0);
      for (const { state, address, url, lagSeconds } of this.#feed.state) {
        peers.with({ state }).add(1);
        if (lagSeconds !== null) lag.with({ peer: `${url} ${address}` }).set(lagSeconds);
      }
      listeners.with().set(this.#stream.listeners);
    });
  }
}

function declareCounters(registry: MetricsRegistry) {
  const attempts = registry.counter({
    name: 'spillway_router_peer_attempts',
    help: 'Attempts that other routers told of, by whether their engine is one of ours.',
    labels: ['engine'],
  });
  const counter = (name: string, help: string) => registry.counter({ name, help }).with();
  return {
    counted: attempts.with({ engine: 'known' }),
    elsewhere: attempts.with({ engine: 'unknown' }),
    losses: counter('spillway_router_peer_losses', 'Times that a router was not heard any more.'),
    listenersCut: counter(
      'spillway_router_peer_listeners_cut',
      'Listeners that were cut because they were too slow.',
    ),
  };
}

/** One spelling for what different command lines call alike: case, default port, trailing slash. */
function sharedUrl(url: string): string {
  const { protocol, host, pathname } = new URL(url);
  return `${protocol}//${host}${pathname.replace(/\/+$/, '')}`;
}
