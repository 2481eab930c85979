// The command line of the cache server of one stack, from cacheserverSpec.
import type { Values } from '../values/index.ts';

/** Where the cache server of a stack listens. */
export interface CachePorts {
  readonly lm: number;
  readonly resp: number;
  readonly http: number;
}

/** Memory of a store without a capacity: on one machine it cannot be unlimited. */
const memoryBytesDefault = 2 ** 30;
const memoryBytesMin = 2 ** 20;

/** How many servers keep each value: with several two, unless the values say otherwise, so that one may be lost. */
function cacheCopies({ replicaCount, copies }: Values['cacheserverSpec']): number {
  return Math.max(1, copies ?? Math.min(2, replicaCount));
}

/**
 * Variables of one `spillway cache`.
 *
 * @param count Number of servers that share the keys.
 * @param randomKey Makes the key by which they know each other if the values have none.
 */
export function cacheEnvironment(
  { cacheserverSpec: { peersKey } }: Values,
  count: number,
  randomKey: () => string,
): Readonly<Record<string, string>> {
  if (count < 2) return {};
  const key = typeof peersKey === 'string' && peersKey !== '' ? peersKey : randomKey();
  return { SPILLWAY_CACHE_PEERS_KEY: key };
}

/**
 * Arguments of one `spillway cache`.
 *
 * @param all Ports of all servers of the stack on this machine, which share the keys. Their capacity is that of the store, once for each copy.
 */
export function cacheFlags(
  { cacheserverSpec }: Values,
  { lm, resp, http }: CachePorts,
  all: readonly CachePorts[] = [],
): readonly string[] {
  const { capacityGB, byteShare, eviction } = cacheserverSpec;
  const copies = cacheCopies(cacheserverSpec);
  const share = all.length > 1 ? copies / all.length : 1;
  const bytes =
    capacityGB === undefined
      ? memoryBytesDefault
      : Math.max(memoryBytesMin, Math.round(capacityGB * 1e9 * byteShare * share));
  return [
    ...['--port', String(lm), '--resp-port', String(resp)],
    ...['--http-port', String(http), '--memory', String(bytes)],
    ...['--eviction', eviction],
    ...(all.length > 1
      ? [
          ...['--peers', all.map((one) => `127.0.0.1:${one.resp}`).join(',')],
          ...['--peer-address', `127.0.0.1:${resp}`, '--copies', String(copies)],
        ]
      : []),
  ];
}
