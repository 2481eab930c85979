// LMCache in multiprocess mode: a server of its own (`lmcache server`) has the host memory, and vLLM reaches it with the
// connector LMCacheMPConnector. `lmcacheConfig.mpServer` says where it is.
import { InputError } from '../base/index.ts';
import type { ModelEntry } from '../values/index.ts';

/** Port of a server that the engine starts beside itself: LMCache's default. */
const portDefault = 5555;

/** Keys that only LMCache in the engine's process has. */
const inProcessKeys = ['enablePD', 'enableController', 'enableP2P'] as const;

/** Whether an engine uses LMCache in multiprocess mode. */
export function hasMultiprocessServer({ lmcacheConfig }: ModelEntry): boolean {
  const { enabled, mpServer = false } = lmcacheConfig ?? {};
  return enabled === true && mpServer !== false;
}

/**
 * Returns the value of vLLM's `--kv-transfer-config` for an engine in multiprocess mode. Keys are in alphabetical
 * order, as the chart writes them.
 *
 * @param cacheNodes HOST:PORT of the stack's cache server, for Redis clients: the second level of a server that the engine starts.
 * @throws {InputError} If the entry has settings that only LMCache in the engine's process has, or lacks the size of the server.
 * @see lmcache/integration/vllm/lmcache_mp_connector.py of LMCache 0.5.6
 */
export function multiprocessConnector(entry: ModelEntry, cacheNodes?: string): object {
  const { kvRole = 'kv_both', mpServer = false } = entry.lmcacheConfig ?? {};
  for (const key of inProcessKeys) {
    if (entry.lmcacheConfig?.[key] === true) {
      throw new InputError(
        `lmcacheConfig.${key} of ${entry.name} is for LMCache in the engine’s process; remove it, or mpServer.`,
      );
    }
  }
  return {
    kv_connector: 'LMCacheMPConnector',
    kv_connector_extra_config:
      typeof mpServer === 'string' ? addressOf(mpServer) : startedServer(entry, cacheNodes),
    // A block that cannot be loaded is computed; vLLM's default is to fail the request.
    kv_load_failure_policy: 'recompute',
    kv_role: kvRole,
  };
}

/** LMCache before 0.5 needs the scheme. */
function addressOf(hostAndPort: string): object {
  const at = hostAndPort.lastIndexOf(':');
  return {
    'lmcache.mp.host': `tcp://${hostAndPort.slice(0, at)}`,
    'lmcache.mp.port': Number(hostAndPort.slice(at + 1)),
  };
}

function startedServer({ name, lmcacheConfig }: ModelEntry, cacheNodes?: string): object {
  const gigabytes = lmcacheConfig?.cpuOffloadingBufferSize ?? 0;
  if (!(Number(gigabytes) > 0)) {
    throw new InputError(
      `lmcacheConfig.mpServer: true of ${name} needs cpuOffloadingBufferSize, the memory in GB of the server that the engine starts.`,
    );
  }
  const sizes = `--l1-size-gb ${gigabytes} --eviction-policy LRU`;
  const adapter = `{"type":"valkey","startup_nodes":"${cacheNodes}"}`;
  return {
    'lmcache.mp.autostart': true,
    'lmcache.mp.autostart.server_args':
      cacheNodes === undefined ? sizes : `${sizes} --l2-adapter '${adapter}'`,
    'lmcache.mp.host': 'tcp://localhost',
    'lmcache.mp.port': portDefault,
  };
}
