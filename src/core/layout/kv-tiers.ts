// Reads an entry's settings of KV cache outside HBM, kvTiers and lmcacheConfig, in bytes and
// seconds.
import { InputError } from '../base/index.ts';
import type { ModelEntry } from '../values/index.ts';

/** Costs that an entry sets for a simulation; unset ones are undefined. */
export interface KvTierCosts {
  /** Bandwidth between one GPU and host memory, bytes per second in each direction. */
  readonly hostBytesPerSecond: number | undefined;
  /** Time that offloading adds to each step. */
  readonly stepSeconds: number | undefined;
  /** Host time of one lookup by LMCache. */
  readonly lookupSeconds: number | undefined;
  /** Bandwidth of the engine's disk, bytes per second. */
  readonly diskReadBytesPerSecond: number | undefined;
  readonly diskWriteBytesPerSecond: number | undefined;
  /** Bandwidth between two engines, bytes per second in each direction. */
  readonly peerBytesPerSecond: number | undefined;
  /** Whether to load only hits that load faster than they are computed. */
  readonly loadsOnlyCheaper: boolean;
}

/** Sizes of each worker process of LMCache, one per GPU. */
export interface LmcacheSizes {
  readonly hostBytes: number;
  readonly diskBytes: number;
}

const gibibyte = 2 ** 30;
const giga = 1e9;

/** Reads the section kvTiers of an entry. */
export function kvTierCosts({ kvTiers = {} }: ModelEntry): KvTierCosts {
  return {
    hostBytesPerSecond: bytesPerSecond(kvTiers.hostGBps),
    stepSeconds: seconds(kvTiers.stepMs),
    lookupSeconds: seconds(kvTiers.lookupMs),
    diskReadBytesPerSecond: bytesPerSecond(kvTiers.diskReadGBps),
    diskWriteBytesPerSecond: bytesPerSecond(kvTiers.diskWriteGBps),
    peerBytesPerSecond: bytesPerSecond(kvTiers.peerGBps),
    loadsOnlyCheaper: kvTiers.load === 'cheaper',
  };
}

/** Whether an entry names its connector itself, e.g. one that combines LMCache with others. */
export function namesConnector({ vllmConfig }: ModelEntry): boolean {
  return (vllmConfig?.extraArgs ?? []).some((word) =>
    /^--kv[-_]transfer[-_]config(=|$)/.test(word),
  );
}

/**
 * Returns the connector of an embedded engine with LMCache: what it emulates beyond LMCache's own settings stands in the
 * connector's configuration, under names that begin with `spillway.`.
 *
 * @param store The cache server of the stack.
 */
export function emulatedLmcache(
  { kvTiers = {} }: ModelEntry,
  store: { readonly linkGbps: number; readonly lookupMs: number; readonly byteShare: number },
): string {
  const extra = {
    ...{ link_gbps: store.linkGbps, lookup_ms: store.lookupMs, byte_share: store.byteShare },
    ...{ host_gbyteps: kvTiers.hostGBps, host_lookup_ms: kvTiers.lookupMs },
    ...{ step_ms: kvTiers.stepMs, disk_read_gbyteps: kvTiers.diskReadGBps },
    ...{ disk_write_gbyteps: kvTiers.diskWriteGBps, peer_gbyteps: kvTiers.peerGBps },
    ...{ load: kvTiers.load },
  };
  const given = Object.entries(extra).filter(([, value]) => value !== undefined);
  return JSON.stringify({
    ...{ kv_connector: 'LMCacheConnectorV1', kv_role: 'kv_both' },
    kv_connector_extra_config: Object.fromEntries(
      given.map(([name, value]) => [`spillway.${name}`, value]),
    ),
  });
}

/**
 * Reads the sizes in lmcacheConfig, which LMCache counts in GiB.
 *
 * @returns Undefined if LMCache is disabled or only transfers KV cache: then the chart gives it no
 * memory.
 */
export function lmcacheSizes(entry: ModelEntry): LmcacheSizes | undefined {
  const { enabled, enablePD } = entry.lmcacheConfig ?? {};
  if (enabled !== true || enablePD === true) return undefined;
  return {
    hostBytes: bytesOf(entry, 'cpuOffloadingBufferSize'),
    diskBytes: bytesOf(entry, 'diskOffloadingBufferSize'),
  };
}

/**
 * Returns whether an engine reads KV cache out of the host memory of others, and lends them its own.
 *
 * @throws {InputError} If it has no controller to ask.
 */
export function sharesWithPeers({ name, lmcacheConfig }: ModelEntry): boolean {
  const { enabled, enableP2P, enableController } = lmcacheConfig ?? {};
  if (enabled !== true || enableP2P !== true) return false;
  if (enableController === true) return true;
  throw new InputError(
    `lmcacheConfig.enableP2P of ${name} needs enableController: true; LMCache asks its controller which engine has a block.`,
  );
}

/**
 * Reads the roles in lmcacheConfig: what the engine does with KV cache, and its side of a NIXL
 * transfer.
 */
export function lmcacheRoles({ lmcacheConfig: { kvRole, nixlRole } = {} }: ModelEntry) {
  return { kvRole, nixlRole };
}

function bytesOf(
  { lmcacheConfig }: ModelEntry,
  key: 'cpuOffloadingBufferSize' | 'diskOffloadingBufferSize',
): number {
  return Number(lmcacheConfig?.[key] ?? 0) * gibibyte;
}

function bytesPerSecond(gigabytesPerSecond: number | undefined): number | undefined {
  return gigabytesPerSecond === undefined ? undefined : gigabytesPerSecond * giga;
}

function seconds(milliseconds: number | undefined): number | undefined {
  return milliseconds === undefined ? undefined : milliseconds / 1000;
}
