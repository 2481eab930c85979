// The guard for the servers of Node: cache controller, coordinator, probes of the operator, administration of engines.
import type { IncomingMessage } from 'node:http';
import { browserGuard } from './browser-guard.ts';

const common = {
  ...{ cors: { allows: () => false }, allowedHosts: undefined, knowsLocalNames: true },
  hints: { host: '; use its address', origin: '' },
};
const onLoopback = browserGuard({ ...common, host: '127.0.0.1' });
const elsewhere = browserGuard({ ...common, host: '0.0.0.0' });

/**
 * Why a request is refused that may come from a web page; undefined accepts it. All routes of these servers show or
 * change state. A name that its owner points at this machine is told from a real one only where the request came by
 * loopback: elsewhere, the server may have names that it does not know.
 */
export function pageProblem(request: IncomingMessage): string | undefined {
  const { method = '', headers, socket } = request;
  const fieldOf = (name: string) => {
    const value = headers[name];
    return typeof value === 'string' ? value : value?.join(', ');
  };
  const guard = isLocal(socket.localAddress) ? onLoopback : elsewhere;
  return guard({ method, headers: { get: fieldOf } }, true);
}

function isLocal(address: string | undefined): boolean {
  return address === '::1' || /^(::ffff:)?127\./.test(address ?? '');
}
