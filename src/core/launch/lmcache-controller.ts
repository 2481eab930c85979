// LMCache's controller in the router of a stack: which stacks have one, its flags, and how engines find it.
import { InputError } from '../base/index.ts';
import { sharesWithPeers } from '../layout/index.ts';
import { engineKind, type ModelEntry, type Values } from '../values/index.ts';

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
  { cacheserverSpec, servingEngineSpec }: Values,
  { pull, reply, heartbeat }: ControllerPorts,
): string[] {
  // One rate for all engines: the first that is set.
  const peerRate = servingEngineSpec.modelSpec
    .filter(sharesWithPeers)
    .flatMap(({ kvTiers }) => kvTiers?.peerGBps ?? [])[0];
  return [
    ...['--lmcache-controller-port', String(pull)],
    ...['--lmcache-controller-reply-port', String(reply)],
    ...['--lmcache-controller-heartbeat-port', String(heartbeat)],
    ...['--kv-rate', `store:${Math.round((cacheserverSpec.linkGbps / 8) * 1e9)}`],
    ...(peerRate === undefined ? [] : ['--kv-rate', `peer:${Math.round(peerRate * 1e9)}`]),
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
    ...peerEnvironment(spec),
    ...(instanceId !== undefined && { LMCACHE_LMCACHE_INSTANCE_ID: instanceId }),
    // Embedded engines choose free ones: several of an entry run on one machine.
    ...(workerPorts !== undefined &&
      engineKind(spec) !== 'embedded' && { LMCACHE_LMCACHE_WORKER_PORTS: String(workerPorts) }),
  };
}

/** LMCache's peers, which need its controller. Its lookups of peers work only with asynchronous loads. */
function peerEnvironment(spec: ModelEntry): Record<string, string> {
  if (!sharesWithPeers(spec)) return {};
  const { p2pHost, p2pInitPorts, p2pLookupPorts } = spec.lmcacheConfig ?? {};
  const own = {
    LMCACHE_ENABLE_P2P: 'True',
    LMCACHE_TRANSFER_CHANNEL: 'nixl',
    LMCACHE_ENABLE_ASYNC_LOADING: 'True',
  };
  if (engineKind(spec) === 'embedded') return own;
  for (const key of ['p2pInitPorts', 'p2pLookupPorts', 'workerPorts'] as const) {
    if (spec.lmcacheConfig?.[key] === undefined) {
      throw new InputError(
        `lmcacheConfig.enableP2P of ${spec.name} needs ${key}: a port for each GPU of the engine, e.g. "8200,8201".`,
      );
    }
  }
  return {
    ...own,
    // LMCache has no default. Both engines are on this machine.
    LMCACHE_P2P_HOST: p2pHost ?? '127.0.0.1',
    ...(p2pInitPorts !== undefined && { LMCACHE_P2P_INIT_PORTS: String(p2pInitPorts) }),
    ...(p2pLookupPorts !== undefined && { LMCACHE_P2P_LOOKUP_PORTS: String(p2pLookupPorts) }),
  };
}
