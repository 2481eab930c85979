// The HTTP edge: finds the route, sends errors in vLLM's form, and marks every answer as emulated.
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { InputError, version } from '../../../core/base/index.ts';
import { ApiError } from '../../../core/protocol/index.ts';
import { randomHex } from '../generation/request-id.ts';
import { Exchange } from './exchange.ts';
import { FrameworkError } from './framework-error.ts';

/** Answers one request. */
export type Handler = (exchange: Exchange) => void | Promise<void>;

/** Path to method to handler; a path may leave parts open: `/v1/responses/{response_id}`. */
export type Routes = Readonly<Record<string, Readonly<Record<string, Handler>>>>;

export interface HttpSettings {
  readonly apiKey?: string | undefined;
  readonly echoesRequestIds?: boolean | undefined;
}

/** vLLM's VLLM_HTTP_TIMEOUT_KEEP_ALIVE. */
const keepAliveTimeoutMs = 5000;

/** What `--api-key` guards; all else stays open, as in vLLM. */
const guardedPrefixes = ['/v1', '/v2', '/inference', '/cohere'];

export function createHttpServer(routes: Routes, settings: HttpSettings): Server {
  const server = createServer(
    { keepAliveTimeout: keepAliveTimeoutMs, requireHostHeader: false, noDelay: true },
    (request, response) => {
      response.setHeader('server', 'uvicorn');
      response.setHeader('vary', 'Origin');
      response.setHeader('x-spillway-emulated', 'true');
      response.setHeader('x-spillway-version', version);
      void answer(new Exchange(request, response), routes, settings);
    },
  );
  server.on('clientError', (_error, socket) => {
    if (!socket.writable) return;
    const body = 'Invalid HTTP request received.';
    socket.end(
      `HTTP/1.1 400 Bad Request\r\ncontent-type: text/plain; charset=utf-8\r\ncontent-length: ${body.length}\r\nconnection: close\r\nx-spillway-emulated: true\r\nx-spillway-version: ${version}\r\n\r\n${body}`,
    );
  });
  return server;
}

/**
 * @returns The URL that the server listens at.
 * @throws {InputError} If it cannot: the port is taken, or not allowed.
 */
export async function listen(server: Server, host: string, port: number): Promise<string> {
  await new Promise<void>((resolve, reject) => {
    const fail = (cause: NodeJS.ErrnoException) => reject(listenError(cause, host, port));
    server.once('error', fail);
    server.listen(port, host, () => {
      server.off('error', fail);
      resolve();
    });
  });
  const { port: bound } = server.address() as AddressInfo;
  return `http://${host.includes(':') ? `[${host}]` : host}:${bound}`;
}

async function answer(exchange: Exchange, routes: Routes, settings: HttpSettings): Promise<void> {
  try {
    if (settings.echoesRequestIds) {
      const id = exchange.header('x-request-id') ?? randomHex(16);
      exchange.response.setHeader('x-request-id', id);
    }
    if (isPreflight(exchange)) refusePreflight(exchange);
    else if (isUnauthorized(exchange, settings.apiKey)) {
      exchange.sendJson(401, '{"error":"Unauthorized"}');
    } else await handlerOf(exchange, routes)(exchange);
  } catch (error) {
    fail(exchange, error);
  }
}

function handlerOf(exchange: Exchange, routes: Routes): Handler {
  const path = decodedPath(exchange.url.pathname);
  const methods = routes[path] ?? matchPattern(exchange, routes);
  if (!methods) {
    if (path.endsWith('/') && routes[path.slice(0, -1)]) return redirectWithoutSlash;
    throw new FrameworkError(404, 'Not Found');
  }
  const handler = methods[exchange.request.method ?? ''];
  if (!handler) {
    throw new FrameworkError(405, 'Method Not Allowed', { allow: Object.keys(methods).join(', ') });
  }
  return handler;
}

/** Frameworks compare paths decoded. */
function decodedPath(path: string): string {
  try {
    return decodeURIComponent(path);
  } catch {
    return path;
  }
}

/** Finds a path with open parts, and notes what stands in them. */
function matchPattern(exchange: Exchange, routes: Routes): Routes[string] | undefined {
  const parts = exchange.url.pathname.split('/');
  for (const [pattern, methods] of Object.entries(routes)) {
    if (!pattern.includes('{')) continue;
    const names = pattern.split('/');
    const fits = (name: string, i: number) =>
      name.startsWith('{') ? parts[i] !== '' : name === parts[i];
    if (names.length !== parts.length || !names.every(fits)) continue;
    const open = names.flatMap((name, i) =>
      name.startsWith('{') ? [[name.slice(1, -1), decodeURIComponent(parts[i] ?? '')]] : [],
    );
    exchange.parameters = Object.fromEntries(open);
    return methods;
  }
  return undefined;
}

function redirectWithoutSlash(exchange: Exchange): void {
  const host = exchange.header('host') ?? 'localhost';
  exchange.response.setHeader(
    'location',
    `http://${host}${exchange.url.pathname.slice(0, -1)}${exchange.url.search}`,
  );
  exchange.send(307, '', '');
}

function isUnauthorized(exchange: Exchange, apiKey: string | undefined): boolean {
  if (apiKey === undefined || exchange.request.method === 'OPTIONS') return false;
  const { pathname } = exchange.url;
  return (
    guardedPrefixes.some((prefix) => pathname.startsWith(prefix)) &&
    !carriesKey(exchange.header('authorization'), apiKey)
  );
}

/** The scheme may be written in any case; what follows its space is the key, whole. */
function carriesKey(header: string | undefined, apiKey: string): boolean {
  const scheme = 'bearer ';
  return (
    header !== undefined &&
    header.slice(0, scheme.length).toLowerCase() === scheme &&
    header.slice(scheme.length) === apiKey
  );
}

function isPreflight(exchange: Exchange): boolean {
  return (
    exchange.request.method === 'OPTIONS' &&
    exchange.header('origin') !== undefined &&
    exchange.header('access-control-request-method') !== undefined
  );
}

/** vLLM 0.32 allows no origin unless it is told to. */
function refusePreflight(exchange: Exchange): void {
  const { response } = exchange;
  response.setHeader(
    'access-control-allow-methods',
    'DELETE, GET, HEAD, OPTIONS, PATCH, POST, PUT, QUERY',
  );
  response.setHeader('access-control-max-age', '600');
  exchange.send(400, 'text/plain; charset=utf-8', 'Disallowed CORS origin');
}

function fail(exchange: Exchange, error: unknown): void {
  const { response } = exchange;
  if (response.headersSent || response.destroyed) {
    response.destroy();
  } else if (error instanceof ApiError) {
    exchange.sendJson(error.httpStatus, error.body());
  } else if (error instanceof FrameworkError) {
    for (const [name, value] of Object.entries(error.headers)) response.setHeader(name, value);
    exchange.sendJson(error.httpStatus, error.body());
  } else {
    const message = error instanceof Error ? error.message : String(error);
    exchange.sendJson(500, new ApiError(500, 'InternalServerError', message).body());
  }
}

function listenError(cause: NodeJS.ErrnoException, host: string, port: number): Error {
  if (cause.code === 'EADDRINUSE') {
    return new InputError(
      `Port ${port} on ${host} is in use; stop what listens there or choose another with --port.`,
      { cause },
    );
  }
  return new InputError(`Cannot listen on ${host}:${port}: ${cause.message}.`, { cause });
}
