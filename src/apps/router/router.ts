// The router: an OpenAI-compatible reverse proxy that picks an engine for each request. This file puts
// its parts together; each part is a folder next to it.

import { AttemptWatch } from '../../core/attempts/index.ts';
import type { Clock } from '../../core/base/index.ts';
import { KvIndex } from '../../core/kv/index.ts';
import { MetricsRegistry } from '../../core/metrics/index.ts';
import { defaultSaturationLimits, RoutingCore } from '../../core/routing/index.ts';
import { steadyUnixClock } from '../../io/clocks/index.ts';
import { type EndpointSource, staticList } from '../../io/endpoints/index.ts';
import { Ticker } from '../../io/http/index.ts';
import { KvIndexFeed } from '../../io/kv-events/index.ts';
import type { Controller } from '../../io/lmcache-controller/index.ts';
import { declareSpanMetrics, type OpenTracing, openTracing } from '../../io/otlp/index.ts';
import { declareProcessMetrics } from '../../io/process-metrics/index.ts';
import { clientMemory } from './client-memory.ts';
import { EngineChecks } from './fleet/engine-checks.ts';
import { Fleet } from './fleet/fleet.ts';
import { declareFleetGauges } from './fleet/fleet-gauges.ts';
import { FollowedSource } from './fleet/followed-source.ts';
import { SharedAttempts } from './fleet/shared-attempts.ts';
import { createInference, type Inference } from './inference.ts';
import { Listeners } from './listeners.ts';
import { FleetHistory } from './metrics/fleet-history.ts';
import { FleetSampler } from './metrics/fleet-sampler.ts';
import { RouterMetrics } from './metrics/router-metrics.ts';
import { StatsLog } from './metrics/stats-log.ts';
import type { RouterOptions } from './options.ts';
import { declareStoredResponses, ResponseEngines } from './responses/response-engines.ts';
import { EventFeed } from './routes/event-feed.ts';
import { RouterViews } from './routes/router-views.ts';
import type { RunningRouter } from './running-router.ts';
import { baseSettings, openDynamicConfig } from './settings/base-settings.ts';
import { roleOfLabel } from './settings/disaggregation.ts';
import type { DynamicConfigFile } from './settings/dynamic-config-file.ts';
import { type ClientKeys, checkPeerKey, openClientKeys, wantsKey } from './settings/keys.ts';
import type { LiveSettings } from './settings/live-settings.ts';
import { routerPolicy, statsIntervalMs } from './settings/router-policy.ts';
import { openRouterTls, type RouterTls } from './settings/router-tls.ts';
import type { RunningCoordinator } from './tiers/lmcache-coordinator.ts';
import { RouterTiers } from './tiers/router-tiers.ts';

/** Peer routers are expected to notice an added or removed engine within this time. */
const changeSpreadMs = 60_000;

/**
 * Starts a router.
 *
 * @throws {InputError} If the port is in use, an engine's URL is invalid, the policy is unknown, or a file
 *   cannot be used.
 * @example
 * const router = await startRouter({ port: 0, engines: [{ url, models: [] }], log });
 * await router.probed;
 */
export async function startRouter(options: RouterOptions): Promise<RunningRouter> {
  const { peers, log } = options;
  if (peers !== undefined) checkPeerKey(peers.key, wantsKey(options));
  const file = options.dynamicConfig && (await openDynamicConfig(options));
  const tls = await openRouterTls(options);
  const keys = await openClientKeys(options);
  const tracing = options.tracing && (await openTracing(options.tracing, log));
  const router = new Router(options, { file, tls, keys, tracing });
  try {
    return await router.start();
  } catch (error) {
    router.destroy();
    throw error;
  } finally {
    log.flush();
  }
}

/** What a router has read before it starts. */
interface OpenParts {
  readonly file: DynamicConfigFile | undefined;
  readonly tls: RouterTls;
  readonly keys: ClientKeys;
  readonly tracing: OpenTracing | undefined;
}

/** How long a router that stops waits for its collector. */
const tracesCloseMs = 2_000;

/** The parts of one router, and how they start, stop and change settings together. */
class Router {
  readonly #options: RouterOptions;
  readonly #file: DynamicConfigFile | undefined;
  readonly #clock: Clock = { nowSeconds: () => performance.now() / 1000 };
  readonly #registry = new MetricsRegistry();
  readonly #kvIndex = new KvIndex();
  readonly #feed = new KvIndexFeed(this.#kvIndex);
  readonly #tiers: RouterTiers;
  readonly #ticker: Ticker;
  readonly #core: RoutingCore;
  readonly #shared: SharedAttempts | undefined;
  readonly #fleet: Fleet;
  readonly #checks: EngineChecks;
  readonly #sampler: FleetSampler;
  readonly #statsLog: StatsLog | undefined;
  readonly #inference: Inference;
  readonly #events: EventFeed;
  readonly #listeners: Listeners;
  readonly #tls: RouterTls;
  readonly #keys: ClientKeys;
  readonly #tracing: OpenTracing | undefined;
  #source: FollowedSource | undefined;
  #controller: Controller | undefined;
  #coordinator: RunningCoordinator | undefined;
  #settings: LiveSettings;
  #isDraining = false;

  constructor(options: RouterOptions, { file, tls, keys, tracing }: OpenParts) {
    const { peers, log } = options;
    const settings = file?.settings ?? baseSettings(options);
    const nowSeconds = () => this.#clock.nowSeconds();
    this.#options = options;
    this.#file = file;
    this.#tls = tls;
    this.#keys = keys;
    this.#tracing = tracing;
    this.#settings = settings;
    const metrics = new RouterMetrics(this.#registry, options.requestStatsWindowSeconds ?? 60);
    declareProcessMetrics(this.#registry);
    if (tracing !== undefined) declareSpanMetrics(this.#registry, tracing.exporter);
    const memory = clientMemory(options.memoryBudgetBytes, {
      ...{ registry: this.#registry, log, nowSeconds },
    });
    this.#tiers = new RouterTiers(options.tiers, (model) => this.#kvIndex.hasAdapter(model));
    const queue = options.admission?.queueTimeout ? options.admission : undefined;
    this.#core = new RoutingCore({
      policy: routerPolicy(settings.policy, options, this.#knowledge),
      clock: this.#clock,
      aliases: settings.aliases,
      slowStartSeconds: options.slowStartSeconds,
      onUpdate: peers && ((update) => this.#shared?.tell(update)),
      onPeerVerdict: ({ url, outcome, tookSeconds }) => watch.heard(url, outcome, tookSeconds),
      saturation: queue && { ...defaultSaturationLimits, waitSeconds: queue.saturationWait },
    });
    const ticker = new Ticker({ tickMs: options.tickMs ?? 250 });
    const [core, registry, feed] = [this.#core, this.#registry, this.#feed];
    this.#ticker = ticker;
    const responseEngines = new ResponseEngines(this.#clock);
    const isFixed = !('changes' in options.engines) && file === undefined;
    const unknownEngineGraceMs = isFixed ? 0 : changeSpreadMs;
    this.#shared =
      peers &&
      new SharedAttempts({
        ...{ peers, core, unknownEngineGraceMs, ticker, registry, log },
        responses: responseEngines,
        tls: tls.upstream,
      });
    const shared = this.#shared;
    declareStoredResponses(registry, responseEngines);
    const { engineApiKey } = options;
    const authorization = engineApiKey === undefined ? undefined : `Bearer ${engineApiKey}`;
    this.#fleet = new Fleet({
      ...{ core, ticker, metrics, log, feed, shared, nowSeconds },
      kvEventSources: options.kvEventSources ?? new Map(),
      // The watch has the deadlines of requests.
      limits: { ...options.upstream, firstByteTimeoutMs: 0, streamIdleTimeoutMs: 0 },
      tls: tls.upstream,
      authorization,
      healthTimeoutMs: () => this.#settings.healthTimeoutMs,
      roleOf: (label) => roleOfLabel(options.disaggregation, label),
      sight: { isOpen: options.pickHeader ?? true },
    });
    const { engines, notLive } = this.#fleet;
    declareFleetGauges(registry, core, engines, nowSeconds);
    this.#checks = new EngineChecks({
      ...{ engines, notLive, nowSeconds, healthIntervalMs: settings.healthIntervalMs },
      statsIntervalMs: statsIntervalMs(settings.policy, options),
    });
    const watch = new AttemptWatch(ticker, options.deadlines, (url, seconds) => {
      const why = `no data on any stream for ${seconds.toFixed(0)} s`;
      core.eject(url, why);
      engines.get(url)?.stalled(why);
    });
    ticker.add({ onTick: () => watch.check() });
    this.#inference = createInference({
      ...{ options, core, metrics, engines, watch, ticker, registry, authorization, tracing },
      ...{ clock: this.#clock, sessionKey: settings.sessionKey, responseEngines },
      memory: memory.streams,
    });
    const { admission } = this.#inference;
    const history = new FleetHistory();
    const unixSeconds = steadyUnixClock.nowSeconds;
    this.#sampler = new FleetSampler({
      ...{ core, engines, metrics, history, nowSeconds },
      unixSeconds,
    });
    const { logStatsSeconds: intervalSeconds } = options;
    this.#statsLog =
      intervalSeconds === undefined
        ? undefined
        : new StatsLog({ core, engines, intervalSeconds, nowSeconds, log });
    const views = new RouterViews({
      ...{ core, engines, metrics, history, feed, shared, admission, nowSeconds, unixSeconds },
      ...{ planned: options.plan?.planned, gateMax: options.gateMax ?? options.plan?.gateMax },
    });
    this.#events = new EventFeed(() => views.router());
    const routesContext = {
      ...{ core, engines, registry, views, shared, admission },
      isTraced: tracing !== undefined,
      requests: this.#inference.requests,
      events: this.#events,
      webpage: options.webpage ?? new Map(),
      draining: () => this.#isDraining,
      dynamicConfig: () => file?.view,
    };
    this.#listeners = new Listeners(options, routesContext, {
      ...{ tls, keys, ticker, memory: memory.server },
    });
  }

  /** What policies know of caches. */
  get #knowledge() {
    return { kvIndex: this.#kvIndex, tiers: this.#tiers };
  }

  /** Finds the engines, then listens, then probes them. */
  async start(): Promise<RunningRouter> {
    this.#fleet.followKvEvents(this.#core.policy.readsKvEvents === true);
    const source = this.#settings.engines
      ? staticList(this.#settings.engines)
      : (this.#options.engines as EndpointSource);
    this.#source = await FollowedSource.begin(source, this.#fleet, this.#options.log);
    await this.#openController();
    await this.#openCoordinator();
    const address = await this.#listeners.listen();
    void this.#source.follow();
    this.#file?.follow((settings) => this.#apply(settings));
    this.#shared?.start();
    this.#checks.start();
    this.#sampler.start();
    this.#statsLog?.start();
    return {
      ...address,
      lmcacheEndpoints: this.#controller?.endpoints ?? [],
      lmcacheCoordinatorUrl: this.#coordinator?.url,
      probed: this.#fleet.start(),
      retire: () => this.#retire(),
      close: (shutdownTimeoutMs) => this.#close(shutdownTimeoutMs),
    };
  }

  /** @throws {InputError} If a port cannot be listened on. */
  async #openController(): Promise<void> {
    const { lmcacheController: asked } = this.#options;
    if (asked === undefined) return;
    const { openLmcacheController } = await import('./tiers/lmcache-controller.ts');
    this.#controller = await openLmcacheController(asked, {
      ...{ tiers: this.#tiers, metrics: this.#registry },
      engines: () => this.#fleet.engines.values(),
      nowSeconds: () => this.#clock.nowSeconds(),
    });
  }

  /** @throws {InputError} If its port cannot be listened on. */
  async #openCoordinator(): Promise<void> {
    const { lmcacheCoordinator: asked } = this.#options;
    if (asked === undefined) return;
    const { openLmcacheCoordinator } = await import('./tiers/lmcache-coordinator.ts');
    this.#coordinator = await openLmcacheCoordinator(asked, this.#tiers);
  }

  /** Stops everything at once. */
  destroy(): void {
    this.#stop();
    this.#end();
    void this.#tracing?.exporter.close(0);
  }

  /** Applies settings in one turn, so that no request sees only some of them. */
  #apply(settings: LiveSettings): void {
    const [core, before] = [this.#core, this.#settings];
    // Steps that may fail come first.
    const policy =
      settings.policy === before.policy
        ? core.policy
        : routerPolicy(settings.policy, this.#options, this.#knowledge);
    this.#settings = settings;
    if (policy !== core.policy) core.setPolicy(policy);
    core.setAliases(settings.aliases);
    if (settings.sessionKey !== before.sessionKey) {
      this.#inference.requests.setSessionKey(settings.sessionKey);
    }
    this.#checks.setIntervals({
      healthIntervalMs: settings.healthIntervalMs,
      statsIntervalMs: statsIntervalMs(settings.policy, this.#options),
    });
    if (settings.engines) this.#fleet.replace(settings.engines);
    this.#fleet.followKvEvents(policy.readsKvEvents === true);
  }

  #stop(): void {
    this.#inference.stop();
    this.#source?.stop();
    this.#file?.stop();
    this.#tls.stop();
    this.#keys?.stop();
    this.#checks.stop();
    this.#sampler.stop();
    this.#statsLog?.stop();
    this.#events.close();
    void this.#feed.close();
    void this.#controller?.close();
    this.#coordinator?.close();
    this.#shared?.close();
  }

  #retire(): void {
    this.#isDraining = true;
    this.#inference.retire();
    this.#listeners.retire();
  }

  async #close(shutdownTimeoutMs: number): Promise<void> {
    this.#isDraining = true;
    this.#stop();
    await this.#listeners.drain(shutdownTimeoutMs);
    this.#end();
    await this.#tracing?.exporter.close(tracesCloseMs);
    this.#options.log.flush();
  }

  /** Closes what requests in flight needed. */
  #end(): void {
    this.#listeners.destroy();
    this.#inference.close();
    this.#fleet.close();
    this.#ticker.stop();
  }
}
