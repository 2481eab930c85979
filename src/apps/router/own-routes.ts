// The routes that the router answers itself.
import { version } from '../../core/base/index.ts';
import { type MetricsRegistry, metricsContentType } from '../../core/metrics/index.ts';
import type { RoutingCore } from '../../core/routing/index.ts';
import { attemptNewsPath } from '../../io/attempt-news/index.ts';
import type { ServerExchange } from '../../io/http/index.ts';
import { type WebpageFile, webpageSecurityPolicy } from '../../io/webpage/index.ts';
import { answer, answerError, answerJson } from './answer.ts';
import type { Engine } from './engine.ts';
import { mergedModels } from './engine-views.ts';

export interface OwnRoutesContext {
  readonly core: RoutingCore;
  readonly engines: ReadonlyMap<string, Engine>;
  readonly aliases: ReadonlyMap<string, string>;
  readonly registry: MetricsRegistry;
  readonly webpage: ReadonlyMap<string, WebpageFile>;
  readonly routerView: () => unknown;
  readonly engineViews: () => unknown;
  /** Whether requests are still taken. */
  readonly draining: () => boolean;
  /** Streams the router's view once per second. */
  readonly events: (exchange: ServerExchange) => void;
  /** Tells another router of the attempts; undefined if they are not shared. */
  readonly attempts: ((exchange: ServerExchange) => void) | undefined;
}

type Route = (exchange: ServerExchange) => void;

/** Path to answer, for GET and HEAD. */
export function ownRoutes(context: OwnRoutesContext): ReadonlyMap<string, Route> {
  const { core, engines, aliases, registry, webpage } = context;
  const routes = new Map<string, Route>([
    ['/health', (exchange) => health(context, exchange)],
    ['/v1/models', (exchange) => answerJson(exchange, 200, mergedModels(core, engines, aliases))],
    ['/version', (exchange) => answerJson(exchange, 200, { version, router: 'spillway' })],
    ['/metrics', (exchange) => answer(exchange, 200, metricsContentType, registry.render())],
    ['/engines', (exchange) => answerJson(exchange, 200, context.engineViews())],
    ['/debug/router', (exchange) => answerJson(exchange, 200, context.routerView())],
    ['/debug/picks', (exchange) => answerJson(exchange, 200, core.recentPicks())],
    ['/dashboard/events', context.events],
  ]);
  if (context.attempts) routes.set(attemptNewsPath, context.attempts);
  for (const [path, file] of webpage) {
    routes.set(path, (exchange) =>
      answer(exchange, 200, file.contentType, file.body, [
        `Cache-Control: ${file.cacheControl}`,
        `Content-Security-Policy: ${webpageSecurityPolicy}`,
        'X-Content-Type-Options: nosniff',
      ]),
    );
  }
  return routes;
}

/** 200 only if a request could be served now. */
function health({ core, draining }: OwnRoutesContext, exchange: ServerExchange): void {
  if (draining()) answerError(exchange, { status: 503, message: 'The router is shutting down.' });
  else if (!core.hasLiveEndpoint) {
    answerError(exchange, { status: 503, message: 'No engine is live.' });
  } else answerJson(exchange, 200, { status: 'healthy' });
}
