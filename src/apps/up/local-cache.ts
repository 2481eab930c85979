// LMCache's services under `spillway up`: the cache servers, with their ports and commands, and the ports of the controller.
import { randomBytes } from 'node:crypto';
import {
  type CachePorts,
  type ControllerPorts,
  cacheEnvironment,
  cacheFlags,
  hasController,
} from '../../core/launch/index.ts';
import type { Values } from '../../core/values/index.ts';
import { freePorts, type ServiceSpec } from '../../io/processes/index.ts';

const startDeadlineMs = 60_000;
const stopGraceMs = 10_000;
/** Chooses the ports of each cache server; none if the values do not ask for one. */
export async function chooseCachePorts(values: Values): Promise<readonly CachePorts[]> {
  const { enabled, replicaCount } = values.cacheserverSpec;
  if (!enabled) return [];
  const ports = await freePorts(3 * replicaCount);
  return Array.from({ length: replicaCount }, (_, index) => {
    const [lm = 0, resp = 0, http = 0] = ports.slice(3 * index);
    return { lm, resp, http };
  });
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

const peersKeyBytes = 32;

function randomPeersKey(): string {
  return randomBytes(peersKeyBytes).toString('hex');
}

/** The processes of the cache servers. */
export function cacheServices(
  values: Values,
  [command, ...first]: readonly [string, ...string[]],
  all: readonly CachePorts[],
): readonly ServiceSpec[] {
  const env = cacheEnvironment(values, all.length, randomPeersKey);
  return all.map((ports, index) => ({
    name: all.length === 1 ? 'cache' : `cache-${index + 1}`,
    command,
    args: [...first, 'cache', ...cacheFlags(values, ports, all)],
    env,
    lifeline: 'pipe',
    healthUrl: `http://127.0.0.1:${ports.http}/ready`,
    ...{ startDeadlineMs, stopGraceMs },
  }));
}
