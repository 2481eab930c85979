// Finds the handler of a request as vLLM's framework does: with its 404 and 405 messages, and a
// redirect if only the last slash of the path is wrong.
import { type Routes as RoutesOf, RouteTable } from '../../../io/routes/index.ts';
import type { Exchange } from './exchange.ts';
import { FrameworkError } from './framework-error.ts';

/** Handles one request. */
export type Handler = (exchange: Exchange) => void | Promise<void>;

export type Routes = RoutesOf<Handler>;

/** The routes of one server. */
export class EngineRoutes {
  readonly #table: RouteTable<Handler>;

  constructor(routes: Routes) {
    this.#table = new RouteTable(routes);
  }

  /**
   * Returns the handler; it may be a redirect to the path without, or with, its last slash.
   *
   * @throws {FrameworkError} 404, or 405 with the methods of the first route that has the path.
   * @see starlette.routing.Router.app
   */
  handlerOf(exchange: Exchange): Handler {
    const { path } = exchange;
    const match = this.#table.find(exchange.request.method ?? '', path);
    if (match.kind === 'found') {
      exchange.parameters = match.parameters;
      exchange.route = match.path;
      return match.handler;
    }
    if (match.kind === 'wrong-method') {
      exchange.route = match.path;
      throw new FrameworkError(405, 'Method Not Allowed', { allow: match.allow[0] ?? '' });
    }
    const turned = this.#table.turned(path);
    if (turned === undefined) throw new FrameworkError(404, 'Not Found');
    exchange.route = turned.route;
    return (one) => redirect(one, turned.path);
  }
}

/** @see starlette.routing.Router.app; uvicorn trusts X-Forwarded-Proto from this machine. */
function redirect(exchange: Exchange, path: string): void {
  const host = exchange.header('host') || exchange.localAddress;
  const forwarded = exchange.header('x-forwarded-proto')?.trim();
  const scheme = forwarded === 'https' ? 'https' : 'http';
  const url = `${scheme}://${host}${encodeURI(path)}${exchange.url.search}`;
  exchange.response.setHeader('location', url);
  exchange.send(307, '', '');
}
