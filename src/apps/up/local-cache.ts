// LMCache's services under `spillway up`: the cache server, with its ports and its command, and the ports of the controller.
import {
  type CachePorts,
  type ControllerPorts,
  cacheFlags,
  hasController,
} from '../../core/launch/index.ts';
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

/** Chooses the ports of LMCache's controller that the values do not name; undefined if no engine reports to one. */
export async function chooseControllerPorts(values: Values): Promise<ControllerPorts | undefined> {
  if (!hasController(values)) return undefined;
  const [pull = 0, reply = 0, heartbeat = 0] = await freePorts(3);
  const { lmcacheControllerPort, lmcacheControllerReplyPort, lmcacheControllerHeartbeatPort } =
    values.routerSpec;
  return {
    pull: Number(lmcacheControllerPort) || pull,
    reply: Number(lmcacheControllerReplyPort) || reply,
    heartbeat: Number(lmcacheControllerHeartbeatPort) || heartbeat,
  };
}

/** What LMCache is given as `remote_url`. */
export function cacheUrl({ lm }: CachePorts): string {
  return `lm://127.0.0.1:${lm}`;
}

/** Where its Redis clients find it. */
export function cacheNodes({ resp }: CachePorts): string {
  return `127.0.0.1:${resp}`;
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
