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

/** Arguments of `spillway cache`. */
export function cacheFlags(
  { cacheserverSpec }: Values,
  { lm, resp, http }: CachePorts,
): readonly string[] {
  const { capacityGB, byteShare, eviction } = cacheserverSpec;
  const bytes =
    capacityGB === undefined
      ? memoryBytesDefault
      : Math.max(memoryBytesMin, Math.round(capacityGB * 1e9 * byteShare));
  return [
    ...['--port', String(lm), '--resp-port', String(resp)],
    ...['--http-port', String(http), '--memory', String(bytes)],
    ...['--eviction', eviction],
  ];
}
