// A local port in front of a Service, by the proxy of the API server: no kubectl, and no rights but `services/proxy`.
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { pipeline } from 'node:stream';
import { request as requestPlain } from '../node-http/index.ts';
import type { ClusterAccess } from './cluster-access.ts';

export interface ServiceTarget {
  readonly namespace: string;
  readonly service: string;
  readonly port: number;
  /** @default 'http' */
  readonly scheme?: 'http' | 'https' | undefined;
}

export interface ServiceProxy {
  /** http://127.0.0.1:port */
  readonly url: string;
  close(): Promise<void>;
}

/** Headers that belong to one connection, and the one that the API server keeps for itself. */
const notPassed: ReadonlySet<string> = new Set([
  ...['host', 'connection', 'keep-alive', 'proxy-connection', 'te', 'trailer', 'upgrade'],
  ...['transfer-encoding', 'authorization'],
]);

/**
 * Listens on a free port of the loopback address. The API server takes `Authorization` as its own, so a router with an API
 * key cannot be reached this way.
 *
 * @param port Local port; 0 for any. @default 0
 */
export async function openServiceProxy(
  access: ClusterAccess,
  { namespace, service, port, scheme = 'http' }: ServiceTarget,
  localPort = 0,
): Promise<ServiceProxy> {
  const root = `/api/v1/namespaces/${namespace}/services/${scheme}:${service}:${port}/proxy`;
  const server = createServer((incoming, response) => {
    void forward(access, root, incoming, response);
  });
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(localPort, '127.0.0.1', resolve);
  });
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

async function forward(
  access: ClusterAccess,
  root: string,
  incoming: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  const fail = (error: Error) => {
    if (response.headersSent) response.destroy(error);
    else response.writeHead(502, { 'content-type': 'text/plain' }).end(`${error.message}\n`);
  };
  try {
    const url = new URL(access.server + root + (incoming.url ?? '/'));
    const options = await access.requestOptions();
    const request = url.protocol === 'https:' ? (await import('node:https')).request : requestPlain;
    const headers = Object.fromEntries(
      Object.entries(incoming.headers).filter(([name]) => !notPassed.has(name)),
    );
    const own = options.headers as Record<string, string> | undefined;
    const sent = request(url, {
      ...options,
      method: incoming.method,
      headers: { ...headers, ...own },
    });
    response.on('close', () => sent.destroy());
    sent.on('error', fail);
    sent.on('response', (received) => {
      const { connection: _, 'transfer-encoding': __, ...kept } = received.headers;
      response.writeHead(received.statusCode ?? 502, kept);
      response.flushHeaders();
      pipeline(received, response, () => undefined);
    });
    incoming.pipe(sent);
  } catch (error) {
    fail(error as Error);
  }
}
