// The HTTP edge: finds the route, sends errors in vLLM's form, and marks every response as
// emulated.
import type {
  Server as HttpServer,
  IncomingMessage,
  RequestListener,
  ServerOptions,
  ServerResponse,
} from 'node:http';
import type { Server as HttpsServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import type { Duplex } from 'node:stream';
import { ApiError } from '../../../core/api/index.ts';
import { version } from '../../../core/base/index.ts';
import { type Cors, type CorsSettings, createCors } from '../../../core/cors/index.ts';
import { portError } from '../../../io/listen/index.ts';
import { createServer, https } from '../../../io/node-http/index.ts';
import { secretCheck } from '../../../io/secrets/index.ts';
import { randomHex } from '../base/random-hex.ts';
import type { EngineTls } from './engine-tls.ts';
import { Exchange } from './exchange.ts';
import { FrameworkError } from './framework-error.ts';
import { targetBytesMax } from './request-target.ts';
import { EngineRoutes, type Routes } from './route-table.ts';

export type { Handler, Routes } from './route-table.ts';

export type Server = HttpServer | HttpsServer;

export interface HttpSettings {
  /** Undefined for plain HTTP. */
  readonly tls?: EngineTls | undefined;
  readonly apiKey?: string | undefined;
  readonly echoesRequestIds?: boolean | undefined;
  readonly cors?: CorsSettings | undefined;
  /** Called once for each sent response that passed the API key check. */
  readonly onFinished?: ((finished: FinishedExchange) => void) | undefined;
}

/** A response that was sent, or whose client has disconnected. */
export interface FinishedExchange {
  /** The route as registered, `/v1/responses/{response_id}`; `none` if there is none. */
  readonly handler: string;
  readonly method: string;
  readonly status: number;
  /** Content lengths from the heads; 0 if absent. */
  readonly requestBytes: number;
  readonly responseBytes: number;
  readonly seconds: number;
}

/** vLLM's VLLM_HTTP_TIMEOUT_KEEP_ALIVE. */
const keepAliveTimeoutMs = 5000;

/** uvicorn has no limit; this one exceeds what any client sends. */
const headBytesMax = 8 * 1024 * 1024;

/** The paths that `--api-key` protects; all others stay open, as in vLLM. */
const guardedPrefixes = ['/v1', '/v2', '/inference', '/cohere'];

export function createHttpServer(routes: Routes, settings: HttpSettings): Server {
  const front: Front = {
    table: new EngineRoutes(routes),
    cors: createCors(settings.cors ?? {}),
    isAllowed: keyCheck(settings.apiKey),
  };
  /** Sockets that wait for a response. */
  const busy = new WeakSet<Duplex>();
  const onRequest = (request: IncomingMessage, response: ServerResponse) => {
    if ((request.url ?? '').length > targetBytesMax) {
      refuseUnread(request.socket);
      return;
    }
    response.setHeader('server', 'uvicorn');
    response.setHeader('vary', 'Origin');
    response.setHeader('x-spillway-emulated', 'true');
    response.setHeader('x-spillway-version', version);
    busy.add(request.socket);
    response.once('close', () => busy.delete(request.socket));
    void respond(new Exchange(request, response), front, settings);
  };
  const options = {
    keepAliveTimeout: keepAliveTimeoutMs,
    requireHostHeader: false,
    noDelay: true,
    maxHeaderSize: headBytesMax,
  };
  const server = plainOrSecure(options, settings.tls, onRequest);
  // uvicorn ignores expectations other than 100-continue.
  server.on('checkExpectation', onRequest);
  server.on('connect', (_request, socket) => refuseUnread(socket));
  server.on('clientError', (error: NodeJS.ErrnoException, socket) => {
    // Bytes after the last request of a connection: uvicorn responds to that request and reads no
    // further.
    if (error.code === 'HPE_CLOSED_CONNECTION' && busy.has(socket)) return;
    refuseUnread(socket);
  });
  // Node counts the headers that it drops; uvicorn accepts any number.
  server.maxHeadersCount = 0;
  return server;
}

function plainOrSecure(
  options: ServerOptions,
  tls: EngineTls | undefined,
  onRequest: RequestListener,
): Server {
  if (tls === undefined) return createServer(options, onRequest);
  const server = https().createServer({ ...options, ...tls.serverOptions }, onRequest);
  tls.attach(server);
  return server;
}

/** The response to an invalid request, with uvicorn's message. */
function refuseUnread(socket: Duplex): void {
  if (!socket.writable) return;
  const body = 'Invalid HTTP request received.';
  socket.end(
    `HTTP/1.1 400 Bad Request\r\ncontent-type: text/plain; charset=utf-8\r\ncontent-length: ${body.length}\r\nconnection: close\r\nx-spillway-emulated: true\r\nx-spillway-version: ${version}\r\n\r\n${body}`,
  );
}

/**
 * @returns The URL at which the server listens.
 * @throws {InputError} If it cannot listen: the port is in use or not allowed.
 */
export async function listen(server: Server, host: string, port: number): Promise<string> {
  await new Promise<void>((resolve, reject) => {
    const fail = (error: Error) => reject(portError(error, host, port));
    server.once('error', fail);
    server.listen(port, host, () => {
      server.off('error', fail);
      resolve();
    });
  });
  const { port: bound } = server.address() as AddressInfo;
  const scheme = 'setSecureContext' in server ? 'https' : 'http';
  return `${scheme}://${host.includes(':') ? `[${host}]` : host}:${bound}`;
}

/** The processing common to all requests. */
interface Front {
  readonly table: EngineRoutes;
  readonly cors: Cors;
  readonly isAllowed: (exchange: Exchange) => boolean;
}

async function respond(
  exchange: Exchange,
  { table, cors, isAllowed }: Front,
  settings: HttpSettings,
): Promise<void> {
  const header = (name: string) => exchange.header(name);
  try {
    if (settings.echoesRequestIds) {
      const id = exchange.header('x-request-id') ?? randomHex(16);
      exchange.response.setHeader('x-request-id', id);
    }
    if (isWebSocket(exchange)) refuseWebSocket(exchange);
    else if (cors.isPreflight(exchange.request.method ?? '', header)) {
      const { status, headers, text } = cors.preflight(header);
      for (const [name, value] of headers) exchange.response.setHeader(name, value);
      exchange.send(status, 'text/plain; charset=utf-8', text);
    } else if (!isAllowed(exchange)) {
      exchange.sendJson(401, '{"error":"Unauthorized"}');
    } else {
      if (settings.onFinished) reportFinished(exchange, settings.onFinished);
      for (const [name, value] of cors.headers(header('origin'))) {
        exchange.response.setHeader(name, value);
      }
      await table.handlerOf(exchange)(exchange);
    }
  } catch (error) {
    fail(exchange, error);
  }
}

function reportFinished(
  exchange: Exchange,
  onFinished: (finished: FinishedExchange) => void,
): void {
  const { request, response } = exchange;
  const startMs = performance.now();
  response.once('close', () =>
    onFinished({
      handler: exchange.route ?? 'none',
      method: request.method ?? '',
      status: response.statusCode,
      requestBytes: Number(request.headers['content-length'] ?? 0),
      responseBytes: Number(response.getHeader('content-length') ?? 0),
      seconds: (performance.now() - startMs) / 1000,
    }),
  );
}

/** Returns whether a request passes `--api-key`. */
function keyCheck(apiKey: string | undefined): (exchange: Exchange) => boolean {
  if (apiKey === undefined) return () => true;
  const isRight = secretCheck(apiKey);
  return (exchange) => {
    if (exchange.request.method === 'OPTIONS') return true;
    if (!guardedPrefixes.some((prefix) => exchange.path.startsWith(prefix))) return true;
    const token = bearerToken(exchange.header('authorization'));
    return token !== undefined && isRight(token);
  };
}

/** The scheme is case-insensitive; the token is everything after its space. */
function bearerToken(header: string | undefined): string | undefined {
  const scheme = 'bearer ';
  if (header?.slice(0, scheme.length).toLowerCase() !== scheme) return undefined;
  return header.slice(scheme.length);
}

function isWebSocket(exchange: Exchange): boolean {
  return (
    exchange.header('upgrade')?.toLowerCase() === 'websocket' &&
    (exchange.header('connection') ?? '').toLowerCase().split(/,\s*/).includes('upgrade')
  );
}

/** A text model has no WebSocket route. */
function refuseWebSocket(exchange: Exchange): void {
  exchange.response.setHeader('connection', 'close');
  exchange.send(403, 'text/plain; charset=utf-8', '');
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
