// The HTTP port for those who run the server: /metrics, /health, /ready and /stats.
import type { IncomingMessage, Server, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import { type MetricsRegistry, metricsContentType } from '../../core/metrics/index.ts';
import { pageProblem } from '../../io/browser-guard/index.ts';
import { createServer } from '../../io/node-http/index.ts';

/** A request has to be complete within this time. */
const requestTimeoutMs = 5_000;
/** A connection on which nothing moves is closed. */
const silentMsMax = 10_000;
/** Requests on one connection, which is closed then: pipelined ones of a client that does not read are work for nothing. */
const requestsPerConnectionMax = 64;
/** Connections at once; for one more, the one that is open longest is closed: a probe is never kept out. */
const connectionsMax = 64;

export interface AdminState {
  readonly registry: MetricsRegistry;
  /** Whether clients should be sent here; false once the server has begun to stop. */
  isReady(): boolean;
  stats(): Readonly<Record<string, unknown>>;
}

/** Creates the server; the caller makes it listen. */
export function createAdminServer(state: AdminState): Server {
  const server = createServer({ requestTimeout: requestTimeoutMs }, (request, response) => {
    request.resume();
    respond(state, request, response);
  });
  server.maxRequestsPerSocket = requestsPerConnectionMax;
  server.setTimeout(silentMsMax);
  const open = new Set<Socket>();
  server.on('connection', (socket: Socket) => {
    if (open.size >= connectionsMax) open.values().next().value?.destroy();
    open.add(socket);
    socket.once('close', () => open.delete(socket));
  });
  return server;
}

function respond(state: AdminState, request: IncomingMessage, response: ServerResponse): void {
  const send = (status: number, body: string, type = 'application/json') => {
    response.writeHead(status, { 'content-type': type, 'cache-control': 'no-store' });
    response.end(request.method === 'HEAD' ? undefined : body);
  };
  if (request.method !== 'GET' && request.method !== 'HEAD') {
    response.setHeader('allow', 'GET, HEAD');
    send(405, JSON.stringify({ error: `${request.method} is not allowed; use GET.` }));
    return;
  }
  const path = (request.url ?? '').split('?', 1)[0];
  switch (path) {
    case '/metrics':
      send(200, state.registry.render(), metricsContentType);
      return;
    case '/health':
      send(200, JSON.stringify({ status: 'ok' }));
      return;
    case '/ready':
      if (state.isReady()) send(200, JSON.stringify({ status: 'ready' }));
      else send(503, JSON.stringify({ status: 'stopping' }));
      return;
    case '/stats': {
      // Probes and scrapers may use any name of this machine for the others.
      const problem = pageProblem(request);
      if (problem !== undefined) send(403, JSON.stringify({ error: problem }));
      else send(200, `${JSON.stringify(state.stats(), undefined, 2)}\n`);
      return;
    }
    default: {
      const known = '/metrics, /health, /ready and /stats';
      send(404, JSON.stringify({ error: `There is no ${path}; there are ${known}.` }));
    }
  }
}
