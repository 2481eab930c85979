// The table of the router's routes: those forwarded to engines, and those that the router serves itself.
import { version } from '../../../core/base/index.ts';
import type { MetricsRegistry } from '../../../core/metrics/index.ts';
import type { RoutingCore } from '../../../core/routing/index.ts';
import { attemptUpdatesPath } from '../../../io/attempt-updates/index.ts';
import type { ServerExchange } from '../../../io/http/index.ts';
import type { Routes } from '../../../io/routes/index.ts';
import { type WebpageFile, webpageSecurityPolicy } from '../../../io/webpage/index.ts';
import type { Engine } from '../fleet/engine.ts';
import type { SharedAttempts } from '../fleet/shared-attempts.ts';
import { answer, answerError, answerJson } from '../requests/answer.ts';
import type { InferenceRequests } from '../requests/inference-requests.ts';
import {
  bodyKinds,
  generatingPaths,
  hedgedPaths,
  movingStreams,
  promptKinds,
  saltedPaths,
} from '../requests/request-routes.ts';
import type { RouterAdmission } from '../requests/router-admission.ts';
import { engineNames, mergedModels } from './engine-views.ts';
import type { EventFeed } from './event-feed.ts';
import { answerMetrics } from './metrics-page.ts';
import type { RouterViews } from './router-views.ts';

/** @param arrivedAtMs When the request arrived, by `performance.now()`. */
export type RouteHandler = (exchange: ServerExchange, arrivedAtMs: number) => void;

export interface RouterRoutesContext {
  readonly core: RoutingCore;
  readonly engines: ReadonlyMap<string, Engine>;
  readonly registry: MetricsRegistry;
  readonly webpage: ReadonlyMap<string, WebpageFile>;
  readonly requests: InferenceRequests;
  readonly views: RouterViews;
  readonly events: EventFeed;
  /** Undefined if requests do not wait in the router. */
  readonly admission: RouterAdmission | undefined;
  /** Undefined if attempts are not shared. */
  readonly shared: SharedAttempts | undefined;
  /** Whether histograms name traces. */
  readonly isTraced: boolean;
  /** Whether the router is shutting down. */
  readonly draining: () => boolean;
  /** The dynamic configuration in force; undefined without one. */
  readonly dynamicConfig: () => object | undefined;
}

/** The routes for clients and peer routers, without those of `adminRoutes`. */
export function clientRoutes(context: RouterRoutesContext): Routes<RouteHandler> {
  const { core, engines, requests, shared } = context;
  const routes: Record<string, Record<string, RouteHandler>> = {};
  for (const [path, kind] of bodyKinds) {
    const route = {
      ...{ kind, generates: generatingPaths.has(path) },
      ...{ promptKind: promptKinds.get(path), movingStream: movingStreams.get(path) },
      isHedged: hedgedPaths.has(path),
      isSalted: saltedPaths.has(path),
    };
    routes[path] = { POST: (exchange, arrivedAtMs) => requests.take(exchange, route, arrivedAtMs) };
  }
  const stored: RouteHandler = (exchange, arrivedAtMs) =>
    requests.stored.take(exchange, arrivedAtMs);
  routes['/v1/responses/{id}'] = { GET: stored, DELETE: stored };
  routes['/v1/responses/{id}/cancel'] = { POST: stored };
  routes['/v1/responses/{id}/input_items'] = { GET: stored };
  const pages: Record<string, RouteHandler> = {
    ...probes(context),
    '/v1/models': (exchange) =>
      answerJson(exchange, 200, mergedModels(core, engines, core.aliases)),
    ...(shared && { [attemptUpdatesPath]: (exchange) => shared.addListener(exchange) }),
  };
  for (const [path, page] of Object.entries(pages)) routes[path] = { 'GET,HEAD': page };
  return routes;
}

/** The routes for operators: metrics, views and the page. */
export function adminRoutes(context: RouterRoutesContext): Routes<RouteHandler> {
  const { registry, webpage, views, events, isTraced } = context;
  const pages: Record<string, RouteHandler> = {
    ...probes(context),
    '/metrics': (exchange) => answerMetrics(exchange, registry, isTraced),
    '/engines': (exchange) => answerJson(exchange, 200, views.engines()),
    '/debug/router': (exchange) => answerJson(exchange, 200, views.router()),
    '/debug/queue': (exchange) => answerJson(exchange, 200, queueView(context)),
    '/debug/picks': (exchange) => answerJson(exchange, 200, views.picks()),
    '/debug/requests': (exchange) => answerJson(exchange, 200, views.requests()),
    '/dashboard/history': (exchange) =>
      answerJson(exchange, 200, views.history(queryOf(exchange.target))),
    '/dashboard/plan': (exchange) => answerJson(exchange, 200, views.plan()),
    '/dashboard/events': (exchange) => events.add(exchange),
  };
  for (const [path, file] of webpage) {
    pages[path] = (exchange) =>
      answer(exchange, 200, file.contentType, file.body, [
        `Cache-Control: ${file.cacheControl}`,
        `Content-Security-Policy: ${webpageSecurityPolicy}`,
        'X-Content-Type-Options: nosniff',
      ]);
  }
  return Object.fromEntries(
    Object.entries(pages).map(([path, page]) => [path, { 'GET,HEAD': page }]),
  );
}

const forOperators =
  'This page is for operators: it would tell clients of one another’s requests. Start the router with --admin-port for it, or with --pick-header if its clients may see it.';

/** What clients get of `adminRoutes` where they may not see them: probes, metrics, and the names of engines. */
export function closedAdminRoutes(context: RouterRoutesContext): Routes<RouteHandler> {
  const refuse: RouteHandler = (exchange) =>
    answerError(exchange, { status: 403, message: forOperators });
  const routes = adminRoutes(context);
  const views = viewPaths(routes);
  const closed = Object.keys(routes).filter((path) => views.has(path));
  const names: RouteHandler = (exchange) =>
    answerJson(exchange, 200, engineNames(context.core, context.engines));
  return {
    ...routes,
    ...Object.fromEntries(closed.map((path) => [path, { 'GET,HEAD': refuse }])),
    '/engines': { 'GET,HEAD': names },
  };
}

/** Paths of `adminRoutes` for people. Programs ask the others by any name of the router. */
export function viewPaths(routes: Routes<RouteHandler>): ReadonlySet<string> {
  const forPrograms = new Set([...probePaths, '/metrics']);
  // The page's own path is one of them, whether or not the page is built.
  return new Set(['/', ...Object.keys(routes).filter((path) => !forPrograms.has(path))]);
}

const probePaths = ['/health', '/livez', '/version'];

/** What load balancers ask, on every port. */
function probes(context: RouterRoutesContext): Record<string, RouteHandler> {
  return {
    '/health': (exchange) => health(context, exchange),
    '/livez': (exchange) => answerJson(exchange, 200, { status: 'alive' }),
    '/version': (exchange) => answerJson(exchange, 200, { version, router: 'spillway' }),
  };
}

function queryOf(target: string): URLSearchParams {
  const mark = target.indexOf('?');
  return new URLSearchParams(mark < 0 ? '' : target.slice(mark + 1));
}

/** The admission queue of each model in which requests wait, and the engines that count as saturated. */
function queueView({ admission, core }: RouterRoutesContext) {
  const saturated = core.endpoints().filter(({ url }) => core.isSaturated(url));
  return {
    enabled: admission !== undefined,
    queues: admission?.state().map((lane) => ({ ...lane, model: lane.model ?? null })) ?? [],
    saturatedEngines: saturated.map(({ url }) => url),
  };
}

/** Returns 200 only if a request could be served now, or held until it can. */
function health(context: RouterRoutesContext, exchange: ServerExchange): void {
  const { core, draining, dynamicConfig, admission } = context;
  if (draining()) answerError(exchange, { status: 503, message: 'The router is shutting down.' });
  else if (!core.hasLiveEndpoint && !admission?.holds) {
    answerError(exchange, { status: 503, message: 'No engine is live.' });
  } else {
    answerJson(exchange, 200, { status: 'healthy', dynamic_config: dynamicConfig() });
  }
}
