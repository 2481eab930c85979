// LMCache's controller in the router of a stack: which stacks have one, its flags, and how engines find it.
import type { ModelEntry, Values } from '../values/index.ts';

/** Ports of the controller, on the router's host. */
export interface ControllerPorts {
  readonly pull: number;
  readonly reply: number;
  readonly heartbeat: number;
}

/** Seconds between heartbeats; without them, the router forgets an idle engine after 30 s. LMCache sends none by default. */
const heartbeatDefault = '5';

/** Whether an engine is to report to a controller, and there is a router to report to. */
export function hasController({ routerSpec, servingEngineSpec }: Values): boolean {
  return routerSpec.enableRouter && servingEngineSpec.modelSpec.some(reportsToController);
}

function reportsToController({ lmcacheConfig }: ModelEntry): boolean {
  return lmcacheConfig?.enabled === true && lmcacheConfig.enableController === true;
}

/** Flags of the router. */
export function controllerFlags(
  { cacheserverSpec }: Values,
  { pull, reply, heartbeat }: ControllerPorts,
): string[] {
  return [
    ...['--lmcache-controller-port', String(pull)],
    ...['--lmcache-controller-reply-port', String(reply)],
    ...['--lmcache-controller-heartbeat-port', String(heartbeat)],
    ...['--kv-rate', `store:${Math.round((cacheserverSpec.linkGbps / 8) * 1e9)}`],
  ];
}

/**
 * Variables of LMCache in an engine.
 *
 * @param host Of the router.
 */
export function controllerEnvironment(
  spec: ModelEntry,
  host: string,
  { pull, reply }: ControllerPorts,
): Record<string, string> {
  if (!reportsToController(spec)) return {};
  const {
    instanceId,
    workerPorts,
    workerHeartbeatTime = heartbeatDefault,
  } = spec.lmcacheConfig ?? {};
  return {
    LMCACHE_ENABLE_CONTROLLER: 'True',
    LMCACHE_CONTROLLER_PULL_URL: `${host}:${pull}`,
    LMCACHE_CONTROLLER_REPLY_URL: `${host}:${reply}`,
    LMCACHE_LMCACHE_WORKER_HEARTBEAT_TIME: String(workerHeartbeatTime),
    PYTHONHASHSEED: '123',
    ...(instanceId !== undefined && { LMCACHE_LMCACHE_INSTANCE_ID: instanceId }),
    ...(workerPorts !== undefined && { LMCACHE_LMCACHE_WORKER_PORTS: String(workerPorts) }),
  };
}
