// The router: an OpenAI-compatible reverse proxy that picks an engine for each request. This file puts
// its parts together; each part is a folder next to it.

import { AttemptWatch } from '../../core/attempts/index.ts';
import type { Clock } from '../../core/base/index.ts';
import { createCors } from '../../core/cors/index.ts';
import { KvIndex } from '../../core/kv/index.ts';
import { MetricsRegistry } from '../../core/metrics/index.ts';
import {
  defaultPolicyName,
  defaultSaturationLimits,
  RoutingCore,
} from '../../core/routing/index.ts';
import { type EndpointSource, staticList } from '../../io/endpoints/index.ts';
import { HttpServer, Ticker } from '../../io/http/index.ts';
import { KvIndexFeed } from '../../io/kv-events/index.ts';
import { declareProcessMetrics } from '../../io/process-metrics/index.ts';
import { EngineChecks } from './fleet/engine-checks.ts';
import { Fleet } from './fleet/fleet.ts';
import { declareFleetGauges } from './fleet/fleet-gauges.ts';
import { FollowedSource } from './fleet/followed-source.ts';
import { SharedAttempts } from './fleet/shared-attempts.ts';
import { FleetHistory } from './metrics/fleet-history.ts';
import { FleetSampler } from './metrics/fleet-sampler.ts';
import { RouterMetrics } from './metrics/router-metrics.ts';
import type { RouterOptions } from './options.ts';
import { refusalText } from './requests/answer.ts';
import { InferenceRequests } from './requests/inference-requests.ts';
import { proxyContext } from './requests/proxy-context.ts';
import { RouterAdmission } from './requests/router-admission.ts';
import { RouterHedging } from './requests/router-hedging.ts';
import { SseKeepAlive } from './requests/sse-keep-alive.ts';
import { browserGuard } from './routes/browser-guard.ts';
import { dispatcher } from './routes/dispatcher.ts';
import { EventFeed } from './routes/event-feed.ts';
import { adminRoutes, clientRoutes } from './routes/router-routes.ts';
import { RouterViews } from './routes/router-views.ts';
import type { RunningRouter } from './running-router.ts';
import { DynamicConfigFile } from './settings/dynamic-config-file.ts';
import { checkPeerKey } from './settings/keys.ts';
import type { LiveSettings } from './settings/live-settings.ts';
import { routerPolicy, statsIntervalMs } from './settings/router-policy.ts';
import { openRouterTls, type RouterTls, serverTls } from './settings/router-tls.ts';
import { EngineTokenize } from './tokens/engine-tokenize.ts';
import { ModelTokenizers } from './tokens/model-tokenizers.ts';
import { PromptTokens } from './tokens/prompt-tokens.ts';

/** Peer routers are expected to notice an added or removed engine within this time. */
const changeSpreadMs = 60_000;
/** Time for clients to read the error that ends their response when the router stops. */
const lastWordsMs = 500;

/** Maximum number of connections to the admin port: probes, scrapers and people. */
const adminConnectionsMax = 256;

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
  if (peers !== undefined) checkPeerKey(peers.key, options.apiKey);
  const file = options.dynamicConfig && (await openDynamicConfig(options));
  const router = new Router(options, file, await openRouterTls(options));
  try {
    return await router.start();
  } catch (error) {
    router.destroy();
    throw error;
  } finally {
    log.flush();
  }
}

/** The parts of one router, and how they start, stop and change settings together. */
class Router {
  readonly #options: RouterOptions;
  readonly #file: DynamicConfigFile | undefined;
  readonly #clock: Clock = { nowSeconds: () => performance.now() / 1000 };
  readonly #registry = new MetricsRegistry();
  readonly #kvIndex = new KvIndex();
  readonly #feed = new KvIndexFeed(this.#kvIndex);
  readonly #tokenizers: ModelTokenizers;
  readonly #ticker: Ticker;
  readonly #core: RoutingCore;
  readonly #shared: SharedAttempts | undefined;
  readonly #fleet: Fleet;
  readonly #checks: EngineChecks;
  readonly #sampler: FleetSampler;
  readonly #requests: InferenceRequests;
  readonly #events: EventFeed;
  readonly #server: HttpServer;
  /** The server of `options.admin`. */
  readonly #adminServer: HttpServer | undefined;
  readonly #tls: RouterTls;
  readonly #hedging: RouterHedging | undefined;
  #source: FollowedSource | undefined;
  #settings: LiveSettings;
  #isDraining = false;

  constructor(options: RouterOptions, file: DynamicConfigFile | undefined, tls: RouterTls) {
    const { peers, log } = options;
    const settings = file?.settings ?? baseSettings(options);
    const nowSeconds = () => this.#clock.nowSeconds();
    this.#options = options;
    this.#file = file;
    this.#tls = tls;
    this.#settings = settings;
    const metrics = new RouterMetrics(this.#registry, options.requestStatsWindowSeconds ?? 60);
    declareProcessMetrics(this.#registry);
    const queue = options.admission?.queueTimeout ? options.admission : undefined;
    this.#core = new RoutingCore({
      policy: routerPolicy(settings.policy, options, this.#kvIndex),
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
    const isFixed = !('changes' in options.engines) && file === undefined;
    const unknownEngineGraceMs = isFixed ? 0 : changeSpreadMs;
    this.#shared =
      peers &&
      new SharedAttempts({
        ...{ peers, core, unknownEngineGraceMs, ticker, registry, log },
        tls: tls.upstream,
      });
    const shared = this.#shared;
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
    });
    const { engines } = this.#fleet;
    declareFleetGauges(registry, core, engines, nowSeconds);
    this.#checks = new EngineChecks({
      ...{ engines, nowSeconds, healthIntervalMs: settings.healthIntervalMs },
      statsIntervalMs: statsIntervalMs(settings.policy, options),
    });
    const watch = new AttemptWatch(ticker, options.deadlines, (url, seconds) => {
      const why = `no data on any stream for ${seconds.toFixed(0)} s`;
      core.eject(url, why);
      engines.get(url)?.stalled(why);
    });
    ticker.add({ onTick: () => watch.check() });
    const clock = this.#clock;
    const hasSharedKey = options.apiKey !== undefined;
    const admission =
      queue &&
      new RouterAdmission({ settings: queue, core, clock, ticker, registry, hasSharedKey });
    const { sseKeepAliveSeconds = 0 } = options;
    const keepAlive =
      sseKeepAliveSeconds > 0 ? new SseKeepAlive(ticker, sseKeepAliveSeconds) : undefined;
    const hedges = options.hedging?.budget ? options.hedging : undefined;
    const hedging =
      hedges && new RouterHedging({ settings: hedges, core, clock, admission, metrics });
    this.#hedging = hedging;
    const context = proxyContext({
      ...{ core, metrics, engines, options, watch, clock, admission, hedging, keepAlive },
    });
    this.#tokenizers = new ModelTokenizers({
      ...{ core, engines, ticker, authorization, log },
      sources: options.tokenizers ?? {},
      tokenizeTimeoutMs: options.tokenizeTimeoutMs,
    });
    declareTokenizerGauge(registry, this.#tokenizers);
    const { engineTokenizeTimeoutMs: timeoutMs = 0 } = options;
    const tokens = new PromptTokens({
      ...{ tokenizers: this.#tokenizers, metrics },
      engineTokenize: timeoutMs > 0 ? new EngineTokenize(core, engines, { timeoutMs }) : undefined,
    });
    this.#requests = new InferenceRequests(context, {
      ...{ engines, tokens, sessionKey: settings.sessionKey },
    });
    const history = new FleetHistory();
    this.#sampler = new FleetSampler({
      ...{ core, engines, metrics, history, nowSeconds },
      unixSeconds: () => Date.now() / 1000,
    });
    const views = new RouterViews({
      ...{ core, engines, metrics, history, feed, shared, admission, nowSeconds },
    });
    this.#events = new EventFeed(() => views.router());
    const webpage = options.webpage ?? new Map();
    const parts = {
      ...{ core, engines, registry, views, shared, admission },
      requests: this.#requests,
      events: this.#events,
      webpage,
      draining: () => this.#isDraining,
      dynamicConfig: () => file?.view,
    };
    const { rootPath = '', apiKey, server = {}, admin, host = '127.0.0.1' } = options;
    const cors = createCors(options.cors ?? {});
    const guardOf = (address: string) =>
      browserGuard({ cors, host: address, allowedHosts: options.allowedHosts });
    const pagePaths = new Set(webpage.keys());
    const access = { rootPath, apiKey, peersKey: peers?.key, pagePaths, cors };
    const [own, operators] = [clientRoutes(parts), adminRoutes(parts)];
    this.#server = new HttpServer({
      ...{ ticker, limits: server, refusal: refusalText },
      ...(server.connectionsMax ? { connectionsMax: server.connectionsMax } : {}),
      ...(tls.listener && { tls: serverTls(tls.listener.material) }),
      ...dispatcher({
        ...{ ...access, routes: admin ? own : { ...operators, ...own }, guard: guardOf(host) },
      }),
    });
    this.#adminServer =
      admin &&
      new HttpServer({
        ...{ ticker, limits: server, refusal: refusalText, connectionsMax: adminConnectionsMax },
        ...dispatcher({ ...access, routes: operators, guard: guardOf(admin.host ?? host) }),
      });
  }

  /** Finds the engines, then listens, then probes them. */
  async start(): Promise<RunningRouter> {
    const { host = '127.0.0.1', port: wantedPort, log } = this.#options;
    this.#fleet.followKvEvents(this.#core.policy.readsKvEvents ?? false);
    const source = this.#settings.engines
      ? staticList(this.#settings.engines)
      : (this.#options.engines as EndpointSource);
    this.#source = await FollowedSource.begin(source, this.#fleet, log);
    const port = await this.#server.listen(host, wantedPort);
    const adminUrl = await this.#listenForAdmin(host);
    this.#tls.follow((tls) => this.#server.renewTls(tls));
    void this.#source.follow();
    this.#file?.follow((settings) => this.#apply(settings));
    this.#shared?.start();
    this.#checks.start();
    this.#sampler.start();
    return {
      url: urlOf(this.#tls.listener ? 'https' : 'http', host, port),
      port,
      adminUrl,
      probed: this.#fleet.start(),
      retire: () => this.#retire(),
      close: (shutdownTimeoutMs) => this.#close(shutdownTimeoutMs),
    };
  }

  async #listenForAdmin(mainHost: string): Promise<string | undefined> {
    const { admin } = this.#options;
    if (admin === undefined || this.#adminServer === undefined) return undefined;
    const { host = mainHost } = admin;
    return urlOf('http', host, await this.#adminServer.listen(host, admin.port, '--admin-port'));
  }

  /** Stops everything at once. */
  destroy(): void {
    this.#stop();
    this.#server.destroy();
    this.#adminServer?.destroy();
    this.#requests.close();
    this.#tokenizers.close();
    this.#fleet.close();
    this.#ticker.stop();
  }

  /** Applies settings in one turn, so that no request sees only some of them. */
  #apply(settings: LiveSettings): void {
    const [core, before] = [this.#core, this.#settings];
    // Steps that may fail come first.
    const policy =
      settings.policy === before.policy
        ? core.policy
        : routerPolicy(settings.policy, this.#options, this.#kvIndex);
    this.#settings = settings;
    if (policy !== core.policy) core.setPolicy(policy);
    core.setAliases(settings.aliases);
    if (settings.sessionKey !== before.sessionKey) {
      this.#requests.setSessionKey(settings.sessionKey);
    }
    this.#checks.setIntervals({
      healthIntervalMs: settings.healthIntervalMs,
      statsIntervalMs: statsIntervalMs(settings.policy, this.#options),
    });
    if (settings.engines) this.#fleet.replace(settings.engines);
    this.#fleet.followKvEvents(policy.readsKvEvents ?? false);
  }

  #stop(): void {
    this.#hedging?.stop();
    this.#source?.stop();
    this.#file?.stop();
    this.#tls.stop();
    this.#checks.stop();
    this.#sampler.stop();
    this.#events.close();
    void this.#feed.close();
    this.#tokenizers.stop();
    this.#shared?.close();
  }

  #retire(): void {
    this.#isDraining = true;
    this.#hedging?.stop();
    this.#server.retire();
  }

  async #close(shutdownTimeoutMs: number): Promise<void> {
    this.#isDraining = true;
    this.#stop();
    const drained = this.#server.drain();
    if (!(await isDoneWithin(drained, shutdownTimeoutMs))) {
      this.#server.stopExchanges();
      await isDoneWithin(drained, lastWordsMs);
    }
    this.#server.destroy();
    this.#adminServer?.destroy();
    this.#requests.close();
    this.#tokenizers.close();
    this.#fleet.close();
    this.#ticker.stop();
    this.#options.log.flush();
  }
}

function urlOf(scheme: string, host: string, port: number): string {
  return `${scheme}://${host.includes(':') ? `[${host}]` : host}:${port}`;
}

/** @returns Whether it is done before the time is over. */
async function isDoneWithin(work: Promise<void>, timeoutMs: number): Promise<boolean> {
  let timer: NodeJS.Timeout | undefined;
  const timeout = new Promise<boolean>((resolve) => {
    timer = setTimeout(() => resolve(false), timeoutMs);
  });
  const isDone = await Promise.race([work.then(() => true), timeout]);
  clearTimeout(timer);
  return isDone;
}

function declareTokenizerGauge(registry: MetricsRegistry, tokenizers: ModelTokenizers): void {
  const gauge = registry.gauge({
    name: 'spillway_router_tokenizer_ready',
    help: 'Whether the router has the tokenizer of a model; only while engines publish KV events.',
    labels: ['model'],
    seriesMax: 1_000,
  });
  registry.onRender(() => {
    gauge.table.removeMatching({});
    for (const [model, isReady] of tokenizers.states()) gauge.with({ model }).set(isReady ? 1 : 0);
  });
}

function openDynamicConfig(options: RouterOptions): Promise<DynamicConfigFile> | undefined {
  const { dynamicConfig, discovery = 'static', log } = options;
  return (
    dynamicConfig &&
    DynamicConfigFile.open({ ...dynamicConfig, base: baseSettings(options), discovery, log })
  );
}

/** The settings before any dynamic configuration. */
function baseSettings(options: RouterOptions): LiveSettings {
  return {
    engines: 'changes' in options.engines ? undefined : options.engines,
    aliases: options.aliases ?? new Map(),
    policy: options.policy ?? defaultPolicyName,
    sessionKey: options.sessionKey,
    healthIntervalMs: options.healthIntervalMs ?? 5_000,
    healthTimeoutMs: options.healthTimeoutMs ?? 3_000,
  };
}
