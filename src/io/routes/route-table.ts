// A table of routes: finds the handler of a request by its path and method. The router and the
// embedded engine both use it, each with its own handlers and its own messages for 404 and 405.

/**
 * Path to methods to handler, in the order of registration. A path may have parameters,
 * `/v1/responses/{response_id}`, or a parameter for its rest, `/metrics{rest:path}`. A key of
 * methods is one method, several separated by commas, or `*` for any. HEAD is served only where it
 * is listed.
 */
export type Routes<H> = Readonly<Record<string, Readonly<Record<string, H>>>>;

export type RouteMatch<H> =
  | {
      readonly kind: 'found';
      readonly handler: H;
      /** As registered. */
      readonly path: string;
      /** Values of the path's parameters. */
      readonly parameters: Readonly<Record<string, string>>;
    }
  | {
      /** 405: the path exists, but not with this method. */
      readonly kind: 'wrong-method';
      readonly path: string;
      /** For `Allow`: the methods of the path, one entry per key of the table. */
      readonly allow: readonly string[];
    }
  /** 404 */
  | { readonly kind: 'no-path' };

interface Route<H> {
  readonly path: string;
  /** Has the parameters as its groups; undefined for a fixed path. */
  readonly pattern: RegExp | undefined;
  /** Created once, so that a request to a fixed path allocates nothing. */
  readonly found: ReadonlyMap<string, RouteMatch<H> & { readonly kind: 'found' }>;
  readonly wrongMethod: RouteMatch<H>;
}

const noPath = { kind: 'no-path' } as const;

/**
 * @example
 * const table = new RouteTable({ '/health': { 'GET,HEAD': answerHealth } });
 * table.find('GET', '/health'); // { kind: 'found', handler: answerHealth, … }
 * table.find('POST', '/health'); // { kind: 'wrong-method', allow: ['GET, HEAD'], … }
 */
export class RouteTable<H> {
  readonly #fixed = new Map<string, Route<H>>();
  readonly #open: readonly Route<H>[];
  readonly #all: readonly Route<H>[];

  constructor(routes: Routes<H>) {
    this.#all = Object.entries(routes).map(([path, methods]) => routeOf(path, methods));
    this.#open = this.#all.filter(({ pattern }) => pattern !== undefined);
    for (const route of this.#all) {
      if (route.pattern === undefined) this.#fixed.set(route.path, route);
    }
  }

  /**
   * Finds the route: a fixed path before one with parameters; among several of those, the first
   * with the method.
   */
  find(method: string, path: string): RouteMatch<H> {
    const fixed = this.#fixed.get(path);
    const found = fixed && foundIn(fixed, method);
    if (found) return found;
    for (const route of this.#open) {
      const open = foundIn(route, method);
      const match = open && route.pattern?.exec(path);
      if (match) return { ...open, parameters: { ...match.groups } };
    }
    return this.#routeAt(path)?.wrongMethod ?? noPath;
  }

  /**
   * Returns the registered path that matches a path, whatever the method; undefined if there is
   * none.
   */
  pathOf(path: string): string | undefined {
    return this.#routeAt(path)?.path;
  }

  /**
   * Returns the path without its last slashes, or with one if it has none, where that leads to a route.
   *
   * @returns That path, and the one under which its route is registered.
   */
  turned(path: string): { readonly path: string; readonly route: string } | undefined {
    // A pattern for slashes at the end would start at each slash of a path.
    let end = path.length;
    while (end > 0 && path[end - 1] === '/') end--;
    const other = end < path.length ? path.slice(0, end) : `${path}/`;
    const route = this.pathOf(other);
    return route === undefined ? undefined : { path: other, route };
  }

  #routeAt(path: string): Route<H> | undefined {
    return this.#all.find(({ pattern, path: fixed }) =>
      pattern === undefined ? fixed === path : pattern.test(path),
    );
  }
}

function routeOf<H>(path: string, methods: Readonly<Record<string, H>>): Route<H> {
  const entries = Object.entries(methods).flatMap(([names, handler]) =>
    names.split(',').map((name) => [name, handler] as const),
  );
  const allow = Object.keys(methods).map((names) => names.replaceAll(',', ', '));
  return {
    path,
    pattern: path.includes('{') ? patternOf(path) : undefined,
    found: new Map(
      entries.map(([name, handler]) => [name, { kind: 'found', handler, path, parameters: {} }]),
    ),
    wrongMethod: { kind: 'wrong-method', path, allow },
  };
}

function patternOf(path: string): RegExp {
  const source = path.replace(/\{(\w+)(:path)?\}/g, (_, name: string, isRest?: string) =>
    isRest === undefined ? `(?<${name}>[^/]+)` : `(?<${name}>.*)`,
  );
  return new RegExp(`^${source}$`, 's');
}

function foundIn<H>(route: Route<H>, method: string) {
  return route.found.get(method) ?? route.found.get('*');
}
