// The HTTP edge: finds the route, sends errors in vLLM's form, and marks every answer as emulated.
import type { IncomingMessage, Server, ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Duplex } from 'node:stream';
import { ApiError } from '../../../core/api/index.ts';
import { InputError, version } from '../../../core/base/index.ts';
import { createServer } from '../../../io/node-http/index.ts';
import { secretCheck } from '../../../io/secrets/index.ts';
import { randomHex } from '../generation/request-id.ts';
import type { HttpAnswer } from '../metrics/http-metrics.ts';
import { type Cors, type CorsSettings, createCors } from './cors.ts';
import { Exchange } from './exchange.ts';
import { FrameworkError } from './framework-error.ts';
import { targetBytesMax } from './request-target.ts';
import { type Routes, RouteTable } from './route-table.ts';

export type { Handler, Routes } from './route-table.ts';

export interface HttpSettings {
  readonly apiKey?: string | undefined;
  readonly echoesRequestIds?: boolean | undefined;
  readonly cors?: CorsSettings | undefined;
  /** Hears of each answer that got past the API key, once it is out. */
  readonly onAnswer?: ((answer: HttpAnswer) => void) | undefined;
}

/** vLLM's VLLM_HTTP_TIMEOUT_KEEP_ALIVE. */
const keepAliveTimeoutMs = 5000;

/** uvicorn has no limit; this one is past what any client sends. */
const headBytesMax = 8 * 1024 * 1024;

/** What `--api-key` guards; all else stays open, as in vLLM. */
const guardedPrefixes = ['/v1', '/v2', '/inference', '/cohere'];

export function createHttpServer(routes: Routes, settings: HttpSettings): Server {
  const front: Front = {
    table: new RouteTable(routes),
    cors: createCors(settings.cors ?? {}),
    isAllowed: keyCheck(settings.apiKey),
  };
  /** Sockets that wait for an answer. */
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
    void answer(new Exchange(request, response), front, settings);
  };
  const server = createServer(
    {
      keepAliveTimeout: keepAliveTimeoutMs,
      requireHostHeader: false,
      noDelay: true,
      maxHeaderSize: headBytesMax,
    },
    onRequest,
  );
  // An expectation that is not 100-continue is nothing to uvicorn.
  server.on('checkExpectation', onRequest);
  server.on('connect', (_request, socket) => refuseUnread(socket));
  server.on('clientError', (error: NodeJS.ErrnoException, socket) => {
    // Bytes after a request that said it was the last: uvicorn answers it and reads no more.
    if (error.code === 'HPE_CLOSED_CONNECTION' && busy.has(socket)) return;
    refuseUnread(socket);
  });
  // Node counts those it cut off; uvicorn takes any number.
  server.maxHeadersCount = 0;
  return server;
}

/** The answer to what is no request, in uvicorn's words. */
function refuseUnread(socket: Duplex): void {
  if (!socket.writable) return;
  const body = 'Invalid HTTP request received.';
  socket.end(
    `HTTP/1.1 400 Bad Request\r\ncontent-type: text/plain; charset=utf-8\r\ncontent-length: ${body.length}\r\nconnection: close\r\nx-spillway-emulated: true\r\nx-spillway-version: ${version}\r\n\r\n${body}`,
  );
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

/** What every request meets. */
interface Front {
  readonly table: RouteTable;
  readonly cors: Cors;
  readonly isAllowed: (exchange: Exchange) => boolean;
}

async function answer(
  exchange: Exchange,
  { table, cors, isAllowed }: Front,
  settings: HttpSettings,
): Promise<void> {
  try {
    if (settings.echoesRequestIds) {
      const id = exchange.header('x-request-id') ?? randomHex(16);
      exchange.response.setHeader('x-request-id', id);
    }
    if (isWebSocket(exchange)) refuseWebSocket(exchange);
    else if (cors.isPreflight(exchange)) cors.answerPreflight(exchange);
    else if (!isAllowed(exchange)) {
      exchange.sendJson(401, '{"error":"Unauthorized"}');
    } else {
      if (settings.onAnswer) reportAnswer(exchange, settings.onAnswer);
      cors.mark(exchange);
      await table.handlerOf(exchange)(exchange);
    }
  } catch (error) {
    fail(exchange, error);
  }
}

function reportAnswer(exchange: Exchange, onAnswer: (answer: HttpAnswer) => void): void {
  const { request, response } = exchange;
  const startMs = performance.now();
  response.once('close', () =>
    onAnswer({
      handler: exchange.route ?? 'none',
      method: request.method ?? '',
      status: response.statusCode,
      requestBytes: Number(request.headers['content-length'] ?? 0),
      responseBytes: Number(response.getHeader('content-length') ?? 0),
      seconds: (performance.now() - startMs) / 1000,
    }),
  );
}

/** Which requests `--api-key` lets in. */
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

/** The scheme may be written in any case; what follows its space is the token, whole. */
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

/** A text model has no route that speaks it. */
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

function listenError(cause: NodeJS.ErrnoException, host: string, port: number): Error {
  if (cause.code === 'EADDRINUSE') {
    return new InputError(
      `Port ${port} on ${host} is in use; stop what listens there or choose another with --port.`,
      { cause },
    );
  }
  return new InputError(`Cannot listen on ${host}:${port}: ${cause.message}.`, { cause });
}
