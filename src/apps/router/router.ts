// The router: an OpenAI-compatible reverse proxy that picks an engine for each request.
import { type Clock, InputError, seededRandom, version } from '../../core/base/index.ts';
import { KvIndex } from '../../core/kv/index.ts';
import { MetricsRegistry } from '../../core/metrics/index.ts';
import {
  JsonSyntaxError,
  type RequestFields,
  RequestFieldsReader,
} from '../../core/protocol/index.ts';
import {
  createPolicy,
  defaultPolicyName,
  RoutingCore,
  type RoutingRequest,
} from '../../core/routing/index.ts';
import { attemptNewsPath } from '../../io/attempt-news/index.ts';
import { HttpServer, type ServerExchange, Ticker } from '../../io/http/index.ts';
import { KvIndexFeed } from '../../io/kv-events/index.ts';
import { answerError, refusalText } from './answer.ts';
import { apiKeyCheck } from './api-key.ts';
import { AttemptIds, requestIdOf } from './attempt-ids.ts';
import { Engine } from './engine.ts';
import { engineViews } from './engine-views.ts';
import { EventFeed } from './event-feed.ts';
import { declareFleetGauges } from './fleet-gauges.ts';
import type { RouterOptions } from './options.ts';
import { ownRoutes } from './own-routes.ts';
import { promptTokens } from './prompt-tokens.ts';
import {
  ProxiedRequest,
  type ProxiedRequestOptions,
  type ProxyContext,
} from './proxied-request.ts';
import { type BodyKind, bodyKindOf, modelOfForm } from './request-routes.ts';
import { RouterMetrics } from './router-metrics.ts';
import { SharedAttempts } from './shared-attempts.ts';

/**
 * Bytes of prompt per token, for prompts that nobody tokenizes: the rule of thumb for English that
 * OpenAI gives (help.openai.com, "What are tokens") and that llm-d's prefix index uses.
 */
const promptBytesPerToken = 4;
/** How often engines that are out are asked whether they are back. */
const deadProbeIntervalMs = 1_000;

/** A router that listens. */
export interface RunningRouter {
  /** http://host:port */
  readonly url: string;
  readonly port: number;
  /** Resolves once every engine has been asked for its health once. */
  readonly probed: Promise<void>;
  /** Takes no new requests; resolves when those under way are done, or are cut after the time. */
  close(shutdownTimeoutMs: number): Promise<void>;
}

/**
 * Starts a router.
 *
 * @throws {InputError} If the port is taken, an engine's URL is none, or the policy is unknown.
 * @example
 * const router = await startRouter({ port: 0, engines: [{ url, models: [] }], log });
 * await router.probed;
 */
export async function startRouter(options: RouterOptions): Promise<RunningRouter> {
  const { host = '127.0.0.1', log, aliases = new Map(), rootPath = '' } = options;
  const clock: Clock = { nowSeconds: () => performance.now() / 1000 };
  const nowSeconds = () => clock.nowSeconds();
  const registry = new MetricsRegistry();
  const metrics = new RouterMetrics(registry, options.requestStatsWindowSeconds ?? 60);
  const kvIndex = new KvIndex();
  const policyName = options.policy ?? defaultPolicyName;
  const policy = createPolicy(policyName, {
    random: seededRandom(Date.now()),
    prefixMinMatchLength: options.prefixMinMatchLength,
    kvIndex: policyName !== 'kvaware' && options.kvEvents === false ? undefined : kvIndex,
    kvAwareThreshold: options.kvAwareThreshold,
  });
  const { peers } = options;
  if (peers !== undefined) checkPeerKey(peers.key, options.apiKey);
  const core = new RoutingCore({
    ...{ policy, clock, aliases },
    onNews: peers && ((news) => shared?.tell(news)),
  });
  const ticker = new Ticker({ tickMs: options.tickMs ?? 250 });
  const engines = createEngines(options, { core, ticker, metrics });
  declareFleetGauges(registry, core, engines, nowSeconds);
  const shared =
    peers && new SharedAttempts({ peers, core, engineUrls: engines.keys(), ticker, registry, log });
  const attemptIds = new AttemptIds();
  const feed = new KvIndexFeed(kvIndex);
  if (policy.readsKvEvents) {
    for (const url of engines.keys()) {
      const source = options.kvEventSources?.get(url);
      feed.follow(url, source && [{ rank: 0, topic: '', ...source }]);
    }
  }
  const context: ProxyContext = {
    core,
    metrics,
    log,
    reroutesMax: options.reroutesMax ?? 2,
    authorization: authorizationOf(options),
    pickHeader: options.pickHeader ?? true,
    target: (url) => engines.get(url) as Engine,
    engineFailed: (url, why) => engines.get(url)?.failed(why),
    attemptId: (requestId) => attemptIds.begin(requestId),
    attemptEnded: (attemptId) => attemptIds.end(attemptId),
  };
  let draining = false;
  const startedAtSeconds = nowSeconds();
  const viewEngines = () => engineViews(core, engines, { nowSeconds: nowSeconds(), feed });
  const routerView = () => {
    const views = viewEngines();
    return {
      policy: policy.name,
      version,
      uptimeSeconds: nowSeconds() - startedAtSeconds,
      requests: metrics.arrived,
      errors: metrics.failed,
      requestsPerSecond: metrics.rate.perSecond(nowSeconds()),
      inflight: views.reduce((sum, { ownLoad }) => sum + ownLoad.inflight, 0),
      routers: shared?.view ?? null,
      engines: views,
    };
  };
  const events = new EventFeed(routerView);
  const routes = ownRoutes({
    core,
    engines,
    aliases,
    registry,
    webpage: options.webpage ?? new Map(),
    routerView,
    engineViews: viewEngines,
    draining: () => draining,
    events: (exchange) => events.add(exchange),
    attempts: shared && ((exchange) => shared.addListener(exchange)),
  });
  const clientAllowed = apiKeyCheck(options.apiKey);
  const peerAllowed = apiKeyCheck(peers?.key);
  const fieldsReader = new RequestFieldsReader({ sessionKey: options.sessionKey });
  const sessionHeader = options.sessionKey?.toLowerCase();

  const onRequest = (exchange: ServerExchange) => {
    const arrivedAtMs = performance.now();
    const { method, target } = exchange.head;
    const query = target.indexOf('?');
    let path = query < 0 ? target : target.slice(0, query);
    if (rootPath !== '' && path.startsWith(`${rootPath}/`)) path = path.slice(rootPath.length);
    const allowed = peers && path === attemptNewsPath ? peerAllowed : clientAllowed;
    if (!allowed(exchange.head, path)) {
      answerError(exchange, { status: 401, message: 'Wrong or missing API key.' });
      return;
    }
    const kind = bodyKindOf(path);
    if (kind !== undefined && method === 'POST') proxy(exchange, kind, arrivedAtMs);
    else if (method === 'GET' || method === 'HEAD') {
      const route = routes.get(path);
      if (route !== undefined) route(exchange);
      else notFound(exchange, method, path, kind !== undefined);
    } else notFound(exchange, method, path, kind !== undefined || routes.has(path));
  };

  const proxy = (exchange: ServerExchange, kind: BodyKind, arrivedAtMs: number) => {
    metrics.arrived++;
    metrics.rate.count(arrivedAtMs / 1000);
    const { headers } = exchange.head;
    const id = requestIdOf(headers.get('x-request-id'));
    const headerSession = sessionHeader === undefined ? undefined : headers.get(sessionHeader);
    let { body } = exchange;
    let request: RoutingRequest;
    let expectsUsage = false;
    let fields: RequestFields | undefined;
    if (kind === 'form') {
      const model = modelOfForm(body);
      if (model === undefined) return missingModel(exchange, id);
      request = requestOf({ id, model, session: headerSession || undefined });
    } else {
      try {
        fields = fieldsReader.read(body);
      } catch (error) {
        if (!(error instanceof JsonSyntaxError)) throw error;
        metrics.refused(undefined);
        answerError(exchange, { status: 400, message: error.message }, id);
        return;
      }
      const { model } = fields;
      if (model === undefined && kind === 'json') return missingModel(exchange, id);
      request = {
        id,
        model,
        session: headerSession || fields.session,
        prompt: fields.prompt,
        promptTokens: Math.ceil(fields.promptBytes / promptBytesPerToken),
        tokens: undefined,
        outputTokensMax: fields.outputTokensMax,
        stream: fields.stream,
      };
      expectsUsage = fields.stream && fields.hasStreamOptions;
      const resolved = core.resolveModel(model);
      if (resolved !== model && resolved !== undefined) {
        body = withModel(body, fields.modelStart, fields.modelEnd, resolved);
      }
    }
    const proxied = { exchange, request, body, expectsUsage, arrivedAtMs };
    if (fields === undefined || !policy.needsTokens) new ProxiedRequest(context, proxied).start();
    else void tokenizeFirst(proxied, fields);
  };

  const tokenizeFirst = async (options: ProxiedRequestOptions, fields: RequestFields) => {
    const model = core.resolveModel(fields.model);
    const candidates = core
      .endpoints()
      .filter(({ state, models }) => state === 'live' && models.includes(model ?? ''))
      .sort((a, b) => a.load.inflight - b.load.inflight);
    const engine = candidates[0] && engines.get(candidates[0].url);
    // With one engine there is nothing to choose.
    const asks = engine !== undefined && candidates.length > 1;
    const tokens = asks ? await promptTokens(engine, model ?? '', fields) : undefined;
    if (options.exchange.over) return;
    const { request } = options;
    const promptLength = tokens?.length ?? request.promptTokens;
    const withTokens = { ...request, tokens, promptTokens: promptLength };
    new ProxiedRequest(context, { ...options, request: withTokens }).start();
  };

  const missingModel = (exchange: ServerExchange, id: string) => {
    metrics.refused(undefined);
    const message = 'The request names no model: "model" must be a string.';
    answerError(exchange, { status: 400, message, param: 'model' }, id);
  };

  const server = new HttpServer({
    ticker,
    limits: options.server ?? {},
    ...(options.server?.connectionsMax ? { connectionsMax: options.server.connectionsMax } : {}),
    onRequest,
    refusal: refusalText,
  });
  const port = await server.listen(host, options.port).catch((error: unknown) => {
    ticker.stop();
    for (const engine of engines.values()) engine.close();
    void feed.close();
    shared?.close();
    throw error;
  });
  shared?.start();
  const all = [...engines.values()];
  const timers = [
    setInterval(() => {
      for (const engine of all) void engine.probe();
    }, options.healthIntervalMs ?? 5_000),
    setInterval(() => {
      for (const engine of all) if (!engine.live) void engine.probe();
    }, deadProbeIntervalMs),
    setInterval(() => {
      for (const engine of all) void engine.scrape(nowSeconds);
    }, options.statsIntervalMs ?? 5_000),
  ];
  const probed = Promise.all(all.map((engine) => engine.probe())).then(() => undefined);
  void probed.then(() => {
    for (const engine of all) void engine.scrape(nowSeconds);
  });

  const stop = () => {
    for (const timer of timers) clearInterval(timer);
    events.close();
    void feed.close();
    shared?.close();
  };
  return {
    url: `http://${host.includes(':') ? `[${host}]` : host}:${port}`,
    port,
    probed,
    async close(shutdownTimeoutMs) {
      draining = true;
      stop();
      const drained = server.drain();
      let timer: NodeJS.Timeout | undefined;
      const timeout = new Promise<void>((resolve) => {
        timer = setTimeout(resolve, shutdownTimeoutMs);
      });
      await Promise.race([drained, timeout]);
      clearTimeout(timer);
      server.destroy();
      for (const engine of all) engine.close();
      ticker.stop();
      log.flush();
    },
  };
}

function createEngines(
  options: RouterOptions,
  shared: { core: RoutingCore; ticker: Ticker; metrics: RouterMetrics },
): ReadonlyMap<string, Engine> {
  const engines = new Map<string, Engine>();
  for (const { url: given, models } of options.engines) {
    const url = given.replace(/\/+$/, '');
    if (engines.has(url)) throw new InputError(`Engine ${url} is listed twice.`);
    const key = options.engineApiKey;
    engines.set(
      url,
      new Engine({
        url,
        staticModels: models,
        ...shared,
        log: options.log,
        limits: options.upstream ?? {},
        authorization: key === undefined ? undefined : `Bearer ${key}`,
        healthTimeoutMs: options.healthTimeoutMs ?? 3_000,
      }),
    );
  }
  return engines;
}

function authorizationOf(options: RouterOptions): ProxyContext['authorization'] {
  const { apiKey, engineApiKey } = options;
  const forward = options.forwardAuthorization ?? (apiKey ?? engineApiKey) === undefined;
  if (forward) return 'client';
  return engineApiKey === undefined ? undefined : { value: `Bearer ${engineApiKey}` };
}

/** @throws {InputError} If routers would be open to clients, or the key fits into no header. */
function checkPeerKey(key: string | undefined, apiKey: string | undefined): void {
  const variable = 'SPILLWAY_ROUTER_PEERS_KEY';
  if (key === undefined && apiKey !== undefined) {
    throw new InputError(
      `Routers that check an API key need a key among themselves: set ${variable}, to the same in all of them.`,
    );
  }
  if (key !== undefined && !/^[\x21-\x7e]+$/.test(key)) {
    throw new InputError(`${variable} may hold visible ASCII characters only, and no spaces.`);
  }
}

/** A request without a prompt that the router could read. */
function requestOf(parts: Pick<RoutingRequest, 'id' | 'model' | 'session'>): RoutingRequest {
  return {
    ...parts,
    prompt: [],
    promptTokens: 0,
    tokens: undefined,
    outputTokensMax: undefined,
    stream: false,
  };
}

/** The body with another model name in it, all other bytes as they were. */
function withModel(body: Buffer, start: number, end: number, model: string): Buffer {
  const name = Buffer.from(JSON.stringify(model));
  return Buffer.concat([body.subarray(0, start), name, body.subarray(end)]);
}

function notFound(exchange: ServerExchange, method: string, path: string, known: boolean): void {
  const status = known ? 405 : 404;
  const what = known ? `${method} is not allowed on ${path}.` : `There is no route ${path} here.`;
  answerError(exchange, { status, message: what });
}
