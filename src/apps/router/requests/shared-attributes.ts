// Attributes that the spans of many requests have: the same objects each time, so that they are encoded only once.
import {
  type Attributes,
  type GenAiOperation,
  genAiOperation,
  operationAttributes,
} from '../../../core/telemetry/index.ts';

/** An engine as an attempt names it. */
export interface TracedEngine {
  readonly url: string;
  readonly name: string;
  /** Of the URL: host name, and port unless it is the protocol's own. */
  readonly host: string;
}

export interface EngineAttributes {
  readonly identity: Attributes;
  readonly address: Attributes;
}

export interface RouteAttributes {
  /** Method and path, as the span of the client's request is named. */
  readonly name: string;
  readonly path: string;
  readonly operation: GenAiOperation | undefined;
  /** Of all spans of a request. */
  readonly request: Attributes;
  /** Of the server's span. */
  readonly server: Attributes;
}

/** Paths whose attributes are kept, more than the router has. Targets with a query, which can be any, are not kept. */
const pathsMax = 64;

const engines = new WeakMap<TracedEngine, EngineAttributes>();
/** Of `POST` requests, by path. */
const routes = new Map<string, RouteAttributes>();

/** @param engine The same object each time. */
export function engineAttributes(engine: TracedEngine): EngineAttributes {
  let attributes = engines.get(engine);
  if (attributes === undefined) {
    const { url, name } = engine;
    const identity = { 'spillway.engine': name, 'spillway.engine.url': url };
    attributes = { identity, address: addressOf(engine) };
    engines.set(engine, attributes);
  }
  return attributes;
}

/** @param target Path and query. */
export function routeAttributes(method: string, target: string): RouteAttributes {
  if (method !== 'POST' || target.includes('?')) return makeRoute(method, target);
  let attributes = routes.get(target);
  if (attributes === undefined) {
    attributes = makeRoute(method, target);
    if (routes.size < pathsMax) routes.set(target, attributes);
  }
  return attributes;
}

function makeRoute(method: string, target: string): RouteAttributes {
  const path = pathOf(target);
  const operation = genAiOperation(path);
  return {
    ...{ name: `${method} ${path}`, path, operation },
    request: { 'http.request.method': method, ...operationAttributes(operation) },
    server: { 'http.route': path, 'url.path': path },
  };
}

function addressOf({ url, host }: TracedEngine): Attributes {
  const [, address = host, port] = /^(.*?)(?::(\d+))?$/.exec(host) ?? [];
  const protocolPort = url.startsWith('https:') ? 443 : 80;
  return { 'server.address': address, 'server.port': port ? Number(port) : protocolPort };
}

function pathOf(target: string): string {
  const mark = target.indexOf('?');
  return mark < 0 ? target : target.slice(0, mark);
}
