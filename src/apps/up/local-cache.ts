// The cache server of `spillway up`, from cacheserverSpec: its ports, its memory and its command.
import type { Values } from '../../core/values/index.ts';
import { freePorts, type ServiceSpec } from '../../io/processes/index.ts';

/** Where the cache server of a stack listens. */
export interface CachePorts {
  readonly lm: number;
  readonly resp: number;
  readonly http: number;
}

const startDeadlineMs = 60_000;
const stopGraceMs = 10_000;
/** Memory of a store without a capacity: on a laptop it cannot be unlimited. */
const memoryBytesDefault = 2 ** 30;
const memoryBytesMin = 2 ** 20;

/** Chooses its ports; undefined if the values do not ask for it. */
export async function chooseCachePorts(values: Values): Promise<CachePorts | undefined> {
  if (!values.cacheserverSpec.enabled) return undefined;
  const [lm = 0, resp = 0, http = 0] = await freePorts(3);
  return { lm, resp, http };
}

/** What LMCache is given as `remote_url`. */
export function cacheUrl({ lm }: CachePorts): string {
  return `lm://127.0.0.1:${lm}`;
}

/** The process of the cache server. */
export function cacheService(
  { cacheserverSpec }: Values,
  [command, ...first]: readonly [string, ...string[]],
  { lm, resp, http }: CachePorts,
): ServiceSpec {
  const { capacityGB, byteShare } = cacheserverSpec;
  const bytes =
    capacityGB === undefined
      ? memoryBytesDefault
      : Math.max(memoryBytesMin, Math.round(capacityGB * 1e9 * byteShare));
  return {
    name: 'cache',
    command,
    args: [
      ...[...first, 'cache', '--port', String(lm), '--resp-port', String(resp)],
      ...['--http-port', String(http), '--memory', String(bytes)],
    ],
    lifeline: 'pipe',
    healthUrl: `http://127.0.0.1:${http}/ready`,
    ...{ startDeadlineMs, stopGraceMs },
  };
}
