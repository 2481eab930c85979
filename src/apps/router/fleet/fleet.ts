// The live set of engines: each is added and removed with all that depends on it (connections, KV events,
// load counts, its name among routers, metric series).
import type { EngineRole, RoutingCore } from '../../../core/routing/index.ts';
import {
  changesBetween,
  type DiscoveredEndpoint,
  type EndpointChange,
} from '../../../io/endpoints/index.ts';
import type { Ticker, UpstreamLimits, UpstreamTls } from '../../../io/http/index.ts';
import type { KvIndexFeed } from '../../../io/kv-events/index.ts';
import type { Logger } from '../../../io/log/index.ts';
import type { RouterMetrics } from '../metrics/router-metrics.ts';
import type { KvEventAddress } from '../options.ts';
import type { ClientSight } from './client-sight.ts';
import { Engine } from './engine.ts';
import type { SharedAttempts } from './shared-attempts.ts';

export interface FleetOptions {
  readonly core: RoutingCore;
  readonly ticker: Ticker;
  readonly metrics: RouterMetrics;
  readonly log: Logger;
  readonly feed: KvIndexFeed;
  /** Where engines publish their KV events, by URL; by default, the router asks the engine. */
  readonly kvEventSources: ReadonlyMap<string, KvEventAddress>;
  /** Undefined if attempts are not shared. */
  readonly shared: SharedAttempts | undefined;
  readonly limits: Partial<UpstreamLimits>;
  /** For connections to `https://` engines. */
  readonly tls: (() => UpstreamTls) | undefined;
  /** `Authorization` for the router's own requests, if engines require one. */
  readonly authorization: string | undefined;
  readonly healthTimeoutMs: () => number;
  /** The role of the engines with a label. */
  readonly roleOf: (label: string | undefined) => EngineRole | undefined;
  readonly nowSeconds: () => number;
  /** What clients see of engines. */
  readonly sight: ClientSight;
}

/** First checks started in one turn: connecting to a thousand engines at once would block for a tenth of a second. */
const looksPerTurnMax = 16;

/**
 * A removed engine gets no new requests from that moment. Requests in flight there end normally, with the
 * engine shown as `draining`; then its connections close and all its state is dropped. If it is listed
 * again before that, it stays as it was.
 */
export class Fleet {
  /** By URL; includes engines that are draining, until their last request has ended. */
  readonly engines: ReadonlyMap<string, Engine>;
  /** Those of them that are not live. */
  readonly notLive: ReadonlySet<Engine>;
  readonly #options: FleetOptions;
  readonly #engines = new Map<string, Engine>();
  readonly #notLive = new Set<Engine>();
  /** The last listed set, by URL. */
  readonly #named = new Map<string, DiscoveredEndpoint>();
  readonly #leaving = new Set<Engine>();
  /** Engines whose first check has yet to start. */
  readonly #unlooked: (() => void)[] = [];
  #followsKvEvents = false;
  #lastNumber = 0;
  #isStarted = false;

  constructor(options: FleetOptions) {
    this.#options = options;
    this.engines = this.#engines;
    this.notLive = this.#notLive;
    options.ticker.add(this);
  }

  /** Applies all changes in one turn, so that no pick sees only some of them. */
  apply(changes: readonly EndpointChange[]): void {
    for (const change of changes) {
      if (change.kind === 'removed') this.#remove(change.url);
      else this.#name(change.endpoint);
    }
  }

  /** Replaces the set. */
  replace(endpoints: readonly DiscoveredEndpoint[]): void {
    this.apply(changesBetween(this.#named, endpoints));
  }

  /** Probes every engine once, and from now on each that is added. Resolves after the first probes. */
  async start(): Promise<void> {
    this.#isStarted = true;
    await Promise.all(Array.from(this.#engines.values(), (engine) => this.#look(engine)));
  }

  /** Whether the engines' KV events are followed, which depends on the policy. */
  followKvEvents(isWanted: boolean): void {
    if (isWanted === this.#followsKvEvents) return;
    this.#followsKvEvents = isWanted;
    for (const url of this.#named.keys()) {
      if (isWanted) this.#followEvents(url);
      else void this.#options.feed.unfollow(url);
    }
  }

  /** Removes draining engines whose last request has ended. */
  onTick(): void {
    for (const engine of this.#leaving) if (engine.isIdle) this.#forget(engine);
  }

  close(): void {
    this.#options.ticker.remove(this);
    for (const engine of this.#engines.values()) engine.close();
  }

  #name(endpoint: DiscoveredEndpoint): void {
    const { url, models, name, label, authorization: own, note } = endpoint;
    const { core, log, shared, roleOf } = this.#options;
    const wasNamed = this.#named.has(url);
    this.#named.set(url, endpoint);
    const known = this.#engines.get(url);
    if (known !== undefined) {
      known.assumeModels(models);
      known.rename(name);
      known.authorize(own);
      core.setRole(url, roleOf(label));
      if (wasNamed) return;
      this.#leaving.delete(known);
      known.stay();
      log.info(`engine ${known.label} is listed again`);
    } else {
      const { ticker, metrics, limits, tls, authorization, healthTimeoutMs } = this.#options;
      const engine = new Engine({
        ...{
          url,
          name,
          assumedModels: models,
          core,
          ticker,
          metrics,
          log,
          limits,
          tls,
          authorization,
        },
        ...{ healthTimeoutMs, ownAuthorization: own },
        ...{ sight: this.#options.sight, number: ++this.#lastNumber },
        notLive: this.#notLive,
      });
      this.#engines.set(url, engine);
      core.setRole(url, roleOf(label));
      shared?.addEngine(url);
      if (note !== undefined) log.info(note);
      if (engine.shown.name !== url && name === undefined) {
        log.info(`clients see engine ${url} as ${engine.shown.name}`);
      }
      if (this.#isStarted) log.info(`engine ${engine.label} added`);
    }
    if (this.#followsKvEvents) this.#followEvents(url);
    if (this.#isStarted) void this.#look(this.#engines.get(url) as Engine);
  }

  #remove(url: string): void {
    const engine = this.#engines.get(url);
    if (engine === undefined || !this.#named.delete(url)) return;
    engine.leave('no longer listed; finishing its requests');
    this.#options.log.info(`engine ${engine.label} is no longer listed: it gets no new requests`);
    void this.#options.feed.unfollow(url);
    this.#leaving.add(engine);
  }

  #forget(engine: Engine): void {
    const { core, metrics, shared, log } = this.#options;
    const { url } = engine;
    this.#leaving.delete(engine);
    this.#engines.delete(url);
    core.removeEndpoint(url);
    shared?.removeEngine(url);
    metrics.removeEngine(url);
    engine.close();
    this.#notLive.delete(engine);
    log.info(`engine ${engine.label} removed`);
  }

  /** Probes an engine and reads its metrics, soon. Resolves after the probe. */
  #look(engine: Engine): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#unlooked.push(async () => {
      await engine.probe();
      resolve();
      void engine.scrape(this.#options.nowSeconds);
    });
    if (this.#unlooked.length === 1) setImmediate(() => this.#startLooks());
    return promise;
  }

  #startLooks(): void {
    for (const start of this.#unlooked.splice(0, looksPerTurnMax)) start();
    if (this.#unlooked.length > 0) setImmediate(() => this.#startLooks());
  }

  #followEvents(url: string): void {
    const { feed, kvEventSources } = this.#options;
    const source = kvEventSources.get(url);
    const authorization = () => this.#engines.get(url)?.requestAuthorization;
    feed.follow(url, source && [{ rank: 0, topic: '', ...source }], authorization);
  }
}
