// Parses ZeroMQ endpoints as vLLM's flags write them: tcp://host:port and ipc://path.
import { InputError } from '../../core/base/index.ts';

export type ZmqEndpoint =
  | { readonly transport: 'tcp'; readonly host: string; readonly port: number }
  | { readonly transport: 'ipc'; readonly path: string };

/**
 * @returns For tcp, `host` is `*` for all interfaces, and port 0 (or `*`) asks for a free one.
 * @throws {InputError} If it is neither a tcp nor an ipc endpoint.
 * @example parseZmqEndpoint('tcp://*:5557'); // { transport: 'tcp', host: '*', port: 5557 }
 */
export function parseZmqEndpoint(endpoint: string): ZmqEndpoint {
  const [, path] = /^ipc:\/\/(.+)$/.exec(endpoint) ?? [];
  if (path !== undefined) return { transport: 'ipc', path };
  const [, host, portText] = /^tcp:\/\/(\[[^\]]+\]|[^:/]+):(\d{1,5}|\*)$/.exec(endpoint) ?? [];
  const port = portText === '*' ? 0 : Number(portText);
  if (host === undefined || !(port <= 65_535)) {
    throw new InputError(
      `"${endpoint}" is not a ZeroMQ endpoint that can be used here; write tcp://HOST:PORT, tcp://*:PORT or ipc://PATH.`,
    );
  }
  return { transport: 'tcp', host: host.replace(/^\[|\]$/g, ''), port };
}

/** Formats the endpoint as text, the inverse of `parseZmqEndpoint`. */
export function formatZmqEndpoint(endpoint: ZmqEndpoint): string {
  if (endpoint.transport === 'ipc') return `ipc://${endpoint.path}`;
  const host = endpoint.host.includes(':') ? `[${endpoint.host}]` : endpoint.host;
  return `tcp://${host}:${endpoint.port}`;
}

/**
 * Returns the endpoint `by` ports higher, as vLLM numbers those of data-parallel ranks. Leaves ipc
 * and port 0 unchanged.
 */
export function offsetZmqEndpoint(endpoint: string, by: number): string {
  const parsed = parseZmqEndpoint(endpoint);
  if (parsed.transport === 'ipc' || parsed.port === 0) return endpoint;
  return formatZmqEndpoint({ ...parsed, port: parsed.port + by });
}

/**
 * Returns whether the endpoint names all interfaces, so that no peer can connect to it as written.
 */
function isWildcardEndpoint(endpoint: ZmqEndpoint): boolean {
  return endpoint.transport === 'tcp' && ['*', '0.0.0.0', '::'].includes(endpoint.host);
}

/** Returns options for `net.connect`. */
export function connectOptions(endpoint: ZmqEndpoint): { path: string } | NetAddress {
  if (endpoint.transport === 'ipc') return { path: endpoint.path };
  return { host: isWildcardEndpoint(endpoint) ? '127.0.0.1' : endpoint.host, port: endpoint.port };
}

/**
 * Returns options for `Server.listen`. Without a host, Node listens on all interfaces, with IPv6
 * where available.
 */
export function listenOptions(endpoint: ZmqEndpoint): { path: string } | Partial<NetAddress> {
  if (endpoint.transport === 'ipc') return { path: endpoint.path };
  const { host, port } = endpoint;
  return host === '*' ? { port } : { host, port };
}

interface NetAddress {
  readonly host: string;
  readonly port: number;
}
