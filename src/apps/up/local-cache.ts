// The cache server of `spillway up`, from cacheserverSpec: its ports and its command.
import { type CachePorts, cacheFlags } from '../../core/launch/index.ts';
import type { Values } from '../../core/values/index.ts';
import { freePorts, type ServiceSpec } from '../../io/processes/index.ts';

const startDeadlineMs = 60_000;
const stopGraceMs = 10_000;
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
  values: Values,
  [command, ...first]: readonly [string, ...string[]],
  ports: CachePorts,
): ServiceSpec {
  return {
    name: 'cache',
    command,
    args: [...first, 'cache', ...cacheFlags(values, ports)],
    lifeline: 'pipe',
    healthUrl: `http://127.0.0.1:${ports.http}/ready`,
    ...{ startDeadlineMs, stopGraceMs },
  };
}
