// Derives the tiers below an engine's KV cache from vLLM's flags.
import { InputError } from '../../../core/base/index.ts';
import {
  type LayoutOptions,
  type NativeOffloadConfig,
  nativeOffloadFor,
} from '../../../core/engine/index.ts';
import {
  defaultKvTransferConfig,
  type KvTransferConfig,
  parseKvTransferConfig,
} from '../../../core/vllm-config/index.ts';
import { defaultLmcache, type LmcacheSettings } from './lmcache-settings.ts';
import { type LmcacheTierOptions, lmcacheTier } from './lmcache-tier.ts';
import { defaultNixl, type NixlSettings, type NixlTierOptions, nixlTier } from './nixl-tier.ts';

/** The tiers below the GPU's cache. */
export type TierOptions =
  | NativeTierOptions
  | LmcacheTierOptions
  | NixlTierOptions
  | {
      readonly connector: 'MultiConnector';
      /** In the order of lookups. */
      readonly tiers: readonly TierOptions[];
    }
  | {
      readonly connector: 'ExampleConnector';
      /** Contains one folder per prompt; real folders. */
      readonly storagePath: string;
    };

export interface NativeTierOptions {
  readonly connector: 'OffloadingConnector';
  readonly config: NativeOffloadConfig;
  /** Whether KV events of the tier contain tokens and parents, not only hashes. */
  readonly selfDescribingKvEvents: boolean;
}

/** Returns the options of native offload, alone or among several connectors. */
export function nativeTiers(tier: TierOptions | undefined): readonly NativeTierOptions[] {
  switch (tier?.connector) {
    case 'OffloadingConnector':
      return [tier];
    case 'MultiConnector':
      return tier.tiers.flatMap(nativeTiers);
    default:
      return [];
  }
}

/** Returns the options of LMCache, alone or among several connectors. */
export function lmcacheTierOf(tier: TierOptions | undefined): LmcacheTierOptions | undefined {
  if (tier?.connector === 'LMCacheConnectorV1') return tier;
  if (tier?.connector !== 'MultiConnector') return undefined;
  return tier.tiers.map(lmcacheTierOf).find((one) => one !== undefined);
}

export interface TierFlags {
  /** `--kv-offloading-size`. */
  readonly offloadingGibibytes?: number | undefined;
  /** `--kv-offloading-backend`. */
  readonly offloadingBackend?: 'native' | 'lmcache' | undefined;
  readonly transfer?: KvTransferConfig | undefined;
  /** LMCache's own configuration. @default its defaults */
  readonly lmcache?: LmcacheSettings | undefined;
  /** Of the NIXL connector. @default its defaults */
  readonly nixl?: NixlSettings | undefined;
}

/**
 * Returns the tier that vLLM would use; none for a connector without an emulation, which the caller
 * reports.
 *
 * @throws {InputError} If the connector's own configuration cannot work.
 */
export function tierOptions(
  flags: TierFlags,
  layout: LayoutOptions & { readonly modelName?: string | undefined },
  blockSize: number,
): TierOptions | undefined {
  switch (connectorName(flags)) {
    case 'OffloadingConnector':
      return nativeTier(extraConfig(flags), layout, blockSize);
    case 'ExampleConnector':
      return {
        connector: 'ExampleConnector',
        // vLLM's own default.
        storagePath: text(extraConfig(flags), 'shared_storage_path') ?? '/tmp',
      };
    case 'LMCacheConnectorV1':
      return lmcacheTier(flags.lmcache ?? defaultLmcache, extraConfig(flags), layout, blockSize);
    case 'NixlConnector':
    case 'NixlPullConnector':
      return nixlTier(
        flags.transfer ?? defaultKvTransferConfig,
        flags.nixl ?? defaultNixl,
        layout,
        blockSize,
      );
    case 'MultiConnector':
      return multiTier(connectorsOf(flags), flags, layout, blockSize);
    default:
      return undefined;
  }
}

/**
 * Returns the connectors in the flags without an emulation, which have no effect. A connector that
 * combines several counts by its parts.
 */
export function withoutEmulation(flags: TierFlags): readonly string[] {
  const name = connectorName(flags);
  if (name === undefined || emulated.includes(name)) return [];
  if (name !== 'MultiConnector') return [name];
  return connectorsOf(flags).flatMap((transfer) => withoutEmulation({ transfer }));
}

const emulated: readonly string[] = [
  'OffloadingConnector',
  'ExampleConnector',
  'LMCacheConnectorV1',
  'NixlConnector',
  'NixlPullConnector',
];

/** Includes only emulated connectors; none if there are none. */
function multiTier(
  connectors: readonly KvTransferConfig[],
  { lmcache, nixl }: Pick<TierFlags, 'lmcache' | 'nixl'>,
  layout: LayoutOptions,
  blockSize: number,
): TierOptions | undefined {
  const tiers = connectors
    .map((transfer) => tierOptions({ transfer, lmcache, nixl }, layout, blockSize))
    .filter((tier) => tier !== undefined);
  return tiers.length === 0 ? undefined : { connector: 'MultiConnector', tiers };
}

/**
 * @throws {InputError} If there is no list, or one of its entries is not the configuration of a
 * connector.
 */
function connectorsOf({ transfer }: TierFlags): readonly KvTransferConfig[] {
  const connectors = transfer?.kv_connector_extra_config['connectors'];
  if (!Array.isArray(connectors) || connectors.length === 0) {
    throw new InputError(
      `${where}: connectors is required: a list of configurations in the form of --kv-transfer-config.`,
    );
  }
  return connectors.map((one) => {
    const config = parseKvTransferConfig(JSON.stringify(one));
    if (config.kv_connector !== null) return config;
    throw new InputError(`${where}: each entry of connectors needs a kv_connector.`);
  });
}

/** The connector that the flags select; `--kv-offloading-size` takes precedence. */
export function connectorName({ offloadingGibibytes, offloadingBackend, transfer }: TierFlags) {
  if (offloadingGibibytes === undefined) return transfer?.kv_connector ?? undefined;
  return offloadingBackend === 'lmcache' ? 'LMCacheMPConnector' : 'OffloadingConnector';
}

function extraConfig({ offloadingGibibytes, transfer }: TierFlags): Record<string, unknown> {
  const extra = { ...transfer?.kv_connector_extra_config };
  if (offloadingGibibytes !== undefined) extra['cpu_bytes_to_use'] = offloadingGibibytes * 2 ** 30;
  return extra;
}

/** @see vllm/v1/kv_offload/cpu/spec.py and vllm/distributed/kv_transfer/kv_connector/v1/offloading/config.py */
function nativeTier(
  extra: Readonly<Record<string, unknown>>,
  layout: LayoutOptions,
  blockSize: number,
): NativeTierOptions {
  const spec = text(extra, 'spec_name') ?? 'CPUOffloadingSpec';
  if (spec !== 'CPUOffloadingSpec') {
    throw new InputError(
      `${where}: spec_name "${spec}" is not emulated; the only one is CPUOffloadingSpec. Omit spec_name.`,
    );
  }
  if (layout.gpu.memoryBytes === undefined) {
    throw new InputError(
      'KV offloading to host memory needs a GPU, as in vLLM; choose another --gpu, or disable offloading.',
    );
  }
  const hostBytes = count(extra, 'cpu_bytes_to_use');
  if (!hostBytes) {
    throw new InputError(
      `${where}: cpu_bytes_to_use is required: the host memory in bytes; or set --kv-offloading-size in GiB.`,
    );
  }
  const trackedMax = count(extra, 'max_tracker_size');
  return {
    connector: 'OffloadingConnector',
    selfDescribingKvEvents: flag(extra, 'self_describing_kv_events') ?? false,
    config: nativeOffloadFor(layout, {
      ...{ hostBytes, blockSize, blocksPerChunk: blocksPerChunk(extra, blockSize) },
      eviction: text(extra, 'eviction_policy') ?? 'lru',
      storeThreshold: count(extra, 'store_threshold') ?? 0,
      promptOnly: flag(extra, 'offload_prompt_only') ?? true,
      ...(trackedMax === undefined ? {} : { trackedMax }),
    }),
  };
}

function blocksPerChunk(extra: Readonly<Record<string, unknown>>, blockSize: number): number {
  const blocks = count(extra, 'blocks_per_chunk');
  const tokens = count(extra, 'block_size');
  if (blocks !== undefined && tokens !== undefined) {
    throw new InputError(`${where}: set only one of block_size and blocks_per_chunk.`);
  }
  if (tokens === undefined) return blocks ?? 1;
  if (tokens % blockSize === 0 && tokens > 0) return tokens / blockSize;
  throw new InputError(
    `${where}: block_size is ${tokens}; it must be a multiple of the engine's block size of ${blockSize} tokens, ` +
      `such as ${Math.max(1, Math.ceil(tokens / blockSize)) * blockSize}; or set blocks_per_chunk.`,
  );
}

const where = '--kv-transfer-config, kv_connector_extra_config';

/** Python's `int()` accepts numbers and their text, and truncates the fraction. */
function count(extra: Readonly<Record<string, unknown>>, key: string): number | undefined {
  const value = extra[key];
  if (value === undefined || value === null) return undefined;
  const read = typeof value === 'string' && /^\s*-?\d+\s*$/.test(value) ? Number(value) : value;
  if (typeof read === 'number' && Number.isFinite(read) && read >= 0) return Math.trunc(read);
  throw new InputError(
    `${where}: ${key} is ${JSON.stringify(value)}; it must be a number, 0 or more.`,
  );
}

function text(extra: Readonly<Record<string, unknown>>, key: string): string | undefined {
  const value = extra[key];
  if (value === undefined || value === null) return undefined;
  if (typeof value === 'string') return value;
  throw new InputError(`${where}: ${key} is ${JSON.stringify(value)}; it must be a string.`);
}

function flag(extra: Readonly<Record<string, unknown>>, key: string): boolean | undefined {
  const value = extra[key];
  if (value === undefined || value === null) return undefined;
  if (typeof value === 'boolean') return value;
  throw new InputError(`${where}: ${key} is ${JSON.stringify(value)}; it must be true or false.`);
}
