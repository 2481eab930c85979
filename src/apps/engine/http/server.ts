// The HTTP edge: finds the route, sends errors in vLLM's form, and marks every answer as emulated.
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { InputError } from '../../../core/base/index.ts';
import { ApiError } from '../../../core/protocol/index.ts';
import { Exchange, FrameworkError } from './exchange.ts';

/** Answers one request. */
export type Handler = (exchange: Exchange) => void | Promise<void>;

/** Path to method to handler. */
export type Routes = Readonly<Record<string, Readonly<Record<string, Handler>>>>;

/** vLLM's VLLM_HTTP_TIMEOUT_KEEP_ALIVE. */
const keepAliveTimeoutMs = 5000;

export function createHttpServer(routes: Routes): Server {
  const server = createServer({ keepAliveTimeout: keepAliveTimeoutMs }, (request, response) => {
    response.setHeader('server', 'uvicorn');
    response.setHeader('vary', 'Origin');
    response.setHeader('x-spillway-emulated', 'true');
    const exchange = new Exchange(request, response);
    void answer(exchange, routes);
  });
  return server;
}

/** @returns The URL that the server listens at. */
export async function listen(server: Server, host: string, port: number): Promise<string> {
  await new Promise<void>((resolve, reject) => {
    server.once('error', (cause: NodeJS.ErrnoException) => reject(listenError(cause, host, port)));
    server.listen(port, host, resolve);
  });
  const { port: bound } = server.address() as AddressInfo;
  return `http://${host.includes(':') ? `[${host}]` : host}:${bound}`;
}

async function answer(exchange: Exchange, routes: Routes): Promise<void> {
  try {
    await handlerOf(exchange, routes)(exchange);
  } catch (error) {
    fail(exchange, error);
  }
}

function handlerOf(exchange: Exchange, routes: Routes): Handler {
  const methods = routes[exchange.url.pathname];
  if (!methods) throw new FrameworkError(404, 'Not Found');
  const handler = methods[exchange.request.method ?? ''];
  if (!handler) {
    throw new FrameworkError(405, 'Method Not Allowed', { allow: Object.keys(methods).join(', ') });
  }
  return handler;
}

function fail(exchange: Exchange, error: unknown): void {
  const { response } = exchange;
  if (response.headersSent) {
    response.destroy();
    return;
  }
  if (error instanceof ApiError) {
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
