// The settings of an engine for KV cache below HBM, and for its transfer to other engines.
import { InputError } from '../../core/base/index.ts';
import type { Settings } from '../../core/layout/index.ts';

export interface OffloadSettings {
  /** Host memory of native offload, summed over the engine's GPUs. */
  readonly hostBytes?: number | undefined;
  /** The same in GPU blocks; overrides it. */
  readonly hostBlocks?: number | undefined;
  readonly offload: {
    readonly eviction?: string;
    readonly storeThreshold?: number;
    readonly blocksPerChunk?: number;
    readonly trackedMax?: number;
    readonly promptOnly?: boolean;
  };
  /** Settings of a connector that transfers KV cache between engines; undefined without one. */
  readonly transfer?: KvTransfer | undefined;
  /** Tiers below host memory, in the order of lookups. */
  readonly secondaryTiers: readonly SecondaryTier[];
}

export interface KvTransfer {
  /** vLLM's `kv_role`. */
  readonly role?: string | null | undefined;
  readonly loadFailure: 'fail' | 'recompute';
}

/** A folder of one engine, a folder that all engines share, or an object store. */
export type SecondaryTier = 'disk' | 'shared-disk' | 'object';

const gibibyte = 2 ** 30;
/** Connectors with which one engine reads what another has computed. */
const transferConnectors: readonly string[] = ['NixlConnector', 'NixlPullConnector'];

/**
 * @param owner The entry's name, for errors.
 * @throws {InputError} If the settings ask for what is not simulated.
 */
export function offloadSettings(
  { kvOffloadingSize, kvOffloadingBackend = 'native', kvTransferConfig }: Settings,
  owner: string,
): OffloadSettings {
  if (kvOffloadingBackend !== 'native') {
    throw new InputError(
      `extraArgs of ${owner}: --kv-offloading-backend ${kvOffloadingBackend} is not simulated; use native, or lmcacheConfig.`,
    );
  }
  const { hostBytes, ...rest } = connectorSettings(kvTransferConfig, owner);
  // As in vLLM, the size overrides the connector's own.
  return {
    ...rest,
    hostBytes: kvOffloadingSize === undefined ? hostBytes : kvOffloadingSize * gibibyte,
  };
}

const nothing: OffloadSettings = { offload: {}, secondaryTiers: [] };

/** vLLM's OffloadingConnector with its extra configuration, or its NixlConnector. */
function connectorSettings(config: Settings['kvTransferConfig'], owner: string): OffloadSettings {
  if (typeof config?.kv_connector !== 'string') return nothing;
  const { kv_connector: connector, kv_role: role, kv_load_failure_policy: loadFailure } = config;
  if (transferConnectors.includes(connector))
    return { ...nothing, transfer: { role, loadFailure } };
  if (connector !== 'OffloadingConnector') {
    throw new InputError(
      `extraArgs of ${owner}: the connector ${JSON.stringify(connector)} is not simulated; use OffloadingConnector, NixlConnector, or LMCache in lmcacheConfig.`,
    );
  }
  const extra = config.kv_connector_extra_config;
  const number = (key: string) => (typeof extra[key] === 'number' ? extra[key] : undefined);
  const hostBytes = number('cpu_bytes_to_use');
  const hostBlocks = number('num_cpu_blocks');
  if (hostBytes === undefined && hostBlocks === undefined) {
    throw new InputError(
      `extraArgs of ${owner}: OffloadingConnector needs cpu_bytes_to_use or num_cpu_blocks in kv_connector_extra_config.`,
    );
  }
  const blocksPerChunk = number('blocks_per_chunk');
  const storeThreshold = number('store_threshold');
  const trackedMax = number('max_tracker_size');
  const { eviction_policy: eviction, offload_prompt_only: promptOnly } = extra;
  return {
    ...{ hostBytes, hostBlocks },
    secondaryTiers: secondaryTiersOf(extra['secondary_tiers'], owner),
    offload: {
      ...(blocksPerChunk !== undefined && { blocksPerChunk }),
      ...(storeThreshold !== undefined && { storeThreshold }),
      ...(trackedMax !== undefined && { trackedMax }),
      ...(typeof eviction === 'string' && { eviction }),
      ...(typeof promptOnly === 'boolean' && { promptOnly }),
    },
  };
}

/** The tiers of vLLM's `TieringOffloadingSpec`. */
function secondaryTiersOf(given: unknown, owner: string): readonly SecondaryTier[] {
  if (given === undefined) return [];
  const tiers = Array.isArray(given) ? (given as unknown[]) : [given];
  return tiers.map((tier) => {
    const { type, locality } = (tier ?? {}) as { type?: unknown; locality?: unknown };
    if (type === 'obj') return 'object';
    if (type === 'fs') return String(locality).toLowerCase() === 'remote' ? 'shared-disk' : 'disk';
    throw new InputError(
      `extraArgs of ${owner}: the secondary tier ${JSON.stringify(type)} is not simulated; use fs or obj.`,
    );
  });
}
