// Finds the handler of a request as vLLM's framework does: routes in order, paths decoded.
import type { Exchange } from './exchange.ts';
import { FrameworkError } from './framework-error.ts';

/** Answers one request. */
export type Handler = (exchange: Exchange) => void | Promise<void>;

/**
 * Path to methods to handler, in the order of registration. A path may leave a part open,
 * `/v1/responses/{response_id}`, or its end, `/metrics{rest:path}`. A key of methods is one method,
 * several with commas between them, or `*` for any.
 */
export type Routes = Readonly<Record<string, Readonly<Record<string, Handler>>>>;

interface Route {
  /** Names of the open parts in its groups; undefined where the path is fixed. */
  readonly pattern: RegExp | undefined;
  readonly path: string;
  readonly methods: ReadonlyMap<string, Handler>;
  /** What `Allow` says: the methods that were registered first. */
  readonly allow: string;
}

/** A table of routes, made once for a server. */
export class RouteTable {
  readonly #fixed = new Map<string, Route>();
  readonly #open: readonly Route[];
  readonly #all: readonly Route[];

  constructor(routes: Routes) {
    this.#all = Object.entries(routes).map(([path, methods]) => routeOf(path, methods));
    this.#open = this.#all.filter(({ pattern }) => pattern !== undefined);
    for (const route of this.#all) {
      if (route.pattern === undefined) this.#fixed.set(route.path, route);
    }
  }

  /**
   * The handler; it may be a redirect to the path without, or with, its last slash.
   *
   * @throws {FrameworkError} 404, or 405 with the methods of the first route that has the path.
   * @see starlette.routing.Router.app
   */
  handlerOf(exchange: Exchange): Handler {
    const { path } = exchange;
    const method = exchange.request.method ?? '';
    const handler = handlerIn(this.#fixed.get(path), method);
    if (handler) {
      exchange.route = path;
      return handler;
    }
    const open = this.#openHandler(exchange, method);
    if (open) return open;
    const other = this.#all.find((route) => fits(route, path));
    if (other) {
      exchange.route = other.path;
      throw new FrameworkError(405, 'Method Not Allowed', { allow: other.allow });
    }
    const turned = path.endsWith('/') ? path.replace(/\/+$/, '') : `${path}/`;
    const target = path === '/' ? undefined : this.#all.find((route) => fits(route, turned));
    if (target) {
      exchange.route = target.path;
      return (one) => redirect(one, turned);
    }
    throw new FrameworkError(404, 'Not Found');
  }

  #openHandler(exchange: Exchange, method: string): Handler | undefined {
    for (const route of this.#open) {
      const handler = handlerIn(route, method);
      const match = handler && route.pattern?.exec(exchange.path);
      if (!match) continue;
      exchange.parameters = { ...match.groups };
      exchange.route = route.path;
      return handler;
    }
    return undefined;
  }
}

function routeOf(path: string, methods: Readonly<Record<string, Handler>>): Route {
  const entries = Object.entries(methods).flatMap(([names, handler]) =>
    names.split(',').map((name) => [name, handler] as const),
  );
  const isOpen = path.includes('{');
  return {
    path,
    pattern: isOpen ? patternOf(path) : undefined,
    methods: new Map(entries),
    allow: Object.keys(methods)[0]?.replaceAll(',', ', ') ?? '',
  };
}

function patternOf(path: string): RegExp {
  const source = path.replace(/\{(\w+)(:path)?\}/g, (_, name: string, isRest?: string) =>
    isRest === undefined ? `(?<${name}>[^/]+)` : `(?<${name}>.*)`,
  );
  return new RegExp(`^${source}$`, 's');
}

function fits(route: Route, path: string): boolean {
  return route.pattern === undefined ? route.path === path : route.pattern.test(path);
}

function handlerIn(route: Route | undefined, method: string): Handler | undefined {
  return route?.methods.get(method) ?? route?.methods.get('*');
}

/** @see starlette.routing.Router.app; uvicorn believes X-Forwarded-Proto of this machine. */
function redirect(exchange: Exchange, path: string): void {
  const host = exchange.header('host') || exchange.localAddress;
  const forwarded = exchange.header('x-forwarded-proto')?.trim();
  const scheme = forwarded === 'https' ? 'https' : 'http';
  const url = `${scheme}://${host}${encodeURI(path)}${exchange.url.search}`;
  exchange.response.setHeader('location', url);
  exchange.send(307, '', '');
}
