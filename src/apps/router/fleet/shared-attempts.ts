// Shares attempts with peer routers in front of the same engines, so that each knows what the others send.
import { randomUUID } from 'node:crypto';
import type { MetricsRegistry } from '../../../core/metrics/index.ts';
import type { AttemptUpdate, RoutingCore } from '../../../core/routing/index.ts';
import type { PeerState, PeersView } from '../../../core/views/index.ts';
import {
  parsePeerUrl,
  UpdateFeed,
  UpdateStream,
  updatesContentType,
} from '../../../io/attempt-updates/index.ts';
import type { ServerExchange, Ticker, UpstreamTls } from '../../../io/http/index.ts';
import type { Logger } from '../../../io/log/index.ts';
import type { PeerOptions } from '../options.ts';
import { answer, answerError } from '../requests/answer.ts';
import { noEngine, type ResponseEngines } from '../responses/response-engines.ts';

/** Stored responses of which a peer that connects is told: the newest. */
const storedMax = 20_000;
/** Maximum number of peers' engines remembered as unknown here; each is logged once. */
const unknownEnginesMax = 64;

const peerStates: readonly PeerState[] = ['connected', 'connecting', 'self', 'duplicate'];

export class SharedAttempts {
  /** This router's id among routers, new with each start. */
  readonly #id = randomUUID();
  readonly #core: RoutingCore;
  readonly #log: Logger;
  readonly #stream: UpdateStream;
  readonly #feed: UpdateFeed;
  /** Maps an engine's URL as routers exchange it to its URL here. */
  readonly #ownUrls = new Map<string, string>();
  /** The inverse map. */
  readonly #sharedUrls = new Map<string, string>();
  /** Peers' engines that this router lacks: when each was first reported, and whether that was logged. */
  readonly #unknownEngines = new Map<string, { readonly sinceMs: number; isLogged: boolean }>();
  readonly #graceMs: number;
  readonly #metrics: ReturnType<typeof declareCounters>;

  /** @throws {InputError} If a peer's URL is invalid. */
  constructor(options: {
    readonly peers: PeerOptions;
    readonly core: RoutingCore;
    /** Which engines have stored responses; peers are told, and tell what they learn. */
    readonly responses: ResponseEngines;
    /** How long an engine may be known to peers only, before this router warns about it. */
    readonly unknownEngineGraceMs: number;
    readonly ticker: Ticker;
    /** For connections to `https://` routers. */
    readonly tls: (() => UpstreamTls) | undefined;
    readonly registry: MetricsRegistry;
    readonly log: Logger;
  }) {
    const { peers, core, responses, ticker, tls, registry, log } = options;
    const metrics = declareCounters(registry);
    this.#metrics = metrics;
    this.#graceMs = options.unknownEngineGraceMs;
    this.#core = core;
    this.#log = log;
    this.#stream = new UpdateStream({
      router: this.#id,
      snapshot: () => core.snapshot(),
      stored: () => responses.newest(storedMax),
      sharedUrl: (url) => this.#sharedUrls.get(url) ?? sharedUrl(url),
      onCut: () => metrics.listenersDropped.inc(),
    });
    this.#sharedUrls.set(noEngine, noEngine);
    this.#ownUrls.set(noEngine, noEngine);
    responses.onLearned = (id, url) => this.#stream.tellStored(id, url);
    const { key, lookup, lookupMs } = peers;
    this.#feed = new UpdateFeed({
      router: this.#id,
      peers: [...new Map(peers.urls.map(parsePeerUrl).map((peer) => [peer.url, peer])).values()],
      ...{ key, ticker, tls, log, lookup, lookupMs },
      onUpdate: (router, update, agoSeconds) => this.#receive(router, update, agoSeconds),
      onStored: (stored) => {
        for (const [shared, ids] of Object.entries(stored)) {
          const url = this.#ownUrls.get(shared);
          if (url !== undefined) for (const id of ids) responses.remember(id, url);
        }
      },
      onLost: (router) => {
        core.forget(router);
        metrics.disconnects.inc();
      },
    });
    this.#declareGauges(registry);
  }

  /** Connects to the peers; called once this router listens. */
  start(): void {
    this.#feed.start();
  }

  /** Adds an engine of this router: peers' attempts there are counted from now on. */
  addEngine(url: string): void {
    const shared = sharedUrl(url);
    this.#ownUrls.set(shared, url);
    this.#sharedUrls.set(url, shared);
    this.#unknownEngines.delete(shared);
  }

  removeEngine(url: string): void {
    this.#ownUrls.delete(sharedUrl(url));
    this.#sharedUrls.delete(url);
  }

  /** Publishes an update about an attempt of this router. */
  tell(update: AttemptUpdate): void {
    this.#stream.tell(update);
  }

  /** Serves the update stream to a peer router. */
  addListener(exchange: ServerExchange): void {
    if (exchange.head.method === 'HEAD') answer(exchange, 200, updatesContentType, '');
    else if (!this.#stream.add(exchange)) {
      answerError(exchange, { status: 503, message: 'This router accepts no further listener.' });
    }
  }

  /** For /debug/router. */
  get view(): PeersView {
    return {
      id: this.#id,
      listeners: this.#stream.listeners,
      listenersDropped: this.#metrics.listenersDropped.value,
      peers: this.#feed.state,
      unknownEngines: [...this.#unknownEngines.keys()],
    };
  }

  /** Stops receiving updates, and keeps publishing until the attempts in flight have ended. */
  close(): void {
    this.#feed.close();
    this.#stream.endWhenIdle();
  }

  #receive(router: string, update: AttemptUpdate, agoSeconds: number): void {
    if (update.kind !== 'sent') {
      this.#core.receive(router, update, agoSeconds);
      return;
    }
    const url = this.#ownUrls.get(update.url);
    if (url === undefined) {
      this.#metrics.elsewhere.inc();
      this.#noteUnknown(router, update.url);
    } else {
      this.#metrics.counted.inc();
      this.#core.receive(router, { ...update, url }, agoSeconds);
    }
  }

  #noteUnknown(router: string, url: string): void {
    let unknown = this.#unknownEngines.get(url);
    if (unknown === undefined) {
      if (this.#unknownEngines.size >= unknownEnginesMax) return;
      unknown = { sinceMs: performance.now(), isLogged: false };
      this.#unknownEngines.set(url, unknown);
    }
    if (unknown.isLogged || performance.now() - unknown.sinceMs < this.#graceMs) return;
    unknown.isLogged = true;
    this.#log.warning(
      `router ${router} sends to ${url}, which is not an engine of this router: its attempts there are ` +
        'not counted here; give all routers the same engines, by the same host names',
    );
  }

  #declareGauges(registry: MetricsRegistry): void {
    registry.rowGauge({
      name: 'spillway_router_peers',
      help: 'Addresses of peer routers, by state: connected, connecting, self or duplicate.',
      rows: () => peerStates,
      labels: (state) => ({ state }),
      value: (wanted) => this.#feed.state.filter(({ state }) => state === wanted).length,
    });
    registry.rowGauge({
      name: 'spillway_router_peer_delay_seconds',
      help: 'Delay of the latest update from a peer router over its fastest update in 30 s.',
      rows: () => this.#feed.state.filter(({ delaySeconds }) => delaySeconds !== null),
      labels: ({ url, address }) => ({ peer: `${url} ${address}` }),
      value: ({ delaySeconds }) => delaySeconds as number,
    });
    const listeners = registry.gauge({
      name: 'spillway_router_peer_listeners',
      help: 'Peer routers that receive updates from this router.',
    });
    registry.onRender(() => listeners.with().set(this.#stream.listeners));
  }
}

function declareCounters(registry: MetricsRegistry) {
  const attempts = registry.counter({
    name: 'spillway_router_peer_attempts',
    help: 'Attempts reported by peer routers, by whether this router knows their engine.',
    labels: ['engine'],
  });
  const counter = (name: string, help: string) => registry.counter({ name, help }).with();
  return {
    counted: attempts.with({ engine: 'known' }),
    elsewhere: attempts.with({ engine: 'unknown' }),
    disconnects: counter(
      'spillway_router_peer_disconnects',
      'Connections to peer routers that were lost.',
    ),
    listenersDropped: counter(
      'spillway_router_peer_listeners_dropped',
      'Peer routers disconnected because they read updates too slowly.',
    ),
  };
}

/** One spelling for URLs that command lines write differently: case, default port, trailing slash. */
function sharedUrl(url: string): string {
  const { protocol, host, pathname } = new URL(url);
  return `${protocol}//${host}${pathname.replace(/\/+$/, '')}`;
}
