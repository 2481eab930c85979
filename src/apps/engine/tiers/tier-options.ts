// From vLLM's flags to the tier below an engine's KV cache.
import { InputError } from '../../../core/base/index.ts';
import {
  type LayoutOptions,
  type NativeOffloadConfig,
  nativeOffloadFor,
} from '../../../core/engine/index.ts';
import { type KvTransferConfig, parseKvTransferConfig } from '../../../core/protocol/index.ts';

/** What is below the GPU's cache. */
export type TierOptions =
  | NativeTierOptions
  | {
      readonly connector: 'MultiConnector';
      /** In the order in which they are asked. */
      readonly tiers: readonly TierOptions[];
    }
  | {
      readonly connector: 'ExampleConnector';
      /** A folder for each prompt; real ones. */
      readonly storagePath: string;
    };

export interface NativeTierOptions {
  readonly connector: 'OffloadingConnector';
  readonly config: NativeOffloadConfig;
  /** KV events of the tier carry tokens and parents, not hashes alone. */
  readonly selfDescribingKvEvents: boolean;
}

/** Those of native offload, by themselves or among others. */
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

export interface TierFlags {
  /** `--kv-offloading-size`. */
  readonly offloadingGibibytes?: number | undefined;
  /** `--kv-offloading-backend`. */
  readonly offloadingBackend?: 'native' | 'lmcache' | undefined;
  readonly transfer?: KvTransferConfig | undefined;
}

/**
 * The tier that vLLM would run with. A connector of vLLM that has no emulation gives none; the caller
 * says so.
 *
 * @throws {InputError} If the connector's own configuration cannot work.
 */
export function tierOptions(
  flags: TierFlags,
  layout: LayoutOptions,
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
    case 'MultiConnector':
      return multiTier(connectorsOf(flags), layout, blockSize);
    default:
      return undefined;
  }
}

/**
 * Of the connectors that the flags name, those without an emulation: they are as good as not there.
 * A connector of several is told by its parts.
 */
export function withoutEmulation(flags: TierFlags): readonly string[] {
  const name = connectorName(flags);
  if (name === undefined || name === 'OffloadingConnector' || name === 'ExampleConnector')
    return [];
  if (name !== 'MultiConnector') return [name];
  return connectorsOf(flags).flatMap((transfer) => withoutEmulation({ transfer }));
}

/** Only those that are emulated; none at all is none. */
function multiTier(
  connectors: readonly KvTransferConfig[],
  layout: LayoutOptions,
  blockSize: number,
): TierOptions | undefined {
  const tiers = connectors
    .map((transfer) => tierOptions({ transfer }, layout, blockSize))
    .filter((tier) => tier !== undefined);
  return tiers.length === 0 ? undefined : { connector: 'MultiConnector', tiers };
}

/** @throws {InputError} If the list is not there, or one in it is no configuration of a connector. */
function connectorsOf({ transfer }: TierFlags): readonly KvTransferConfig[] {
  const connectors = transfer?.kv_connector_extra_config['connectors'];
  if (!Array.isArray(connectors) || connectors.length === 0) {
    throw new InputError(
      `${where}: connectors must be given, a list of configurations as --kv-transfer-config itself.`,
    );
  }
  return connectors.map((one) => {
    const config = parseKvTransferConfig(JSON.stringify(one));
    if (config.kv_connector !== null) return config;
    throw new InputError(`${where}: each of connectors needs its kv_connector.`);
  });
}

/** The connector that the flags come to; `--kv-offloading-size` has the last word. */
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
      `${where}: spec_name "${spec}" is not emulated; only CPUOffloadingSpec is. Leave it out.`,
    );
  }
  if (layout.gpu.memoryBytes === undefined) {
    throw new InputError(
      'KV offloading to host memory needs a GPU, in vLLM as here; choose another --gpu, or leave the offloading out.',
    );
  }
  const hostBytes = count(extra, 'cpu_bytes_to_use');
  if (!hostBytes) {
    throw new InputError(
      `${where}: cpu_bytes_to_use must be given, the host memory in bytes; or give --kv-offloading-size in GiB.`,
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
    throw new InputError(`${where}: give only one of block_size and blocks_per_chunk.`);
  }
  if (tokens === undefined) return blocks ?? 1;
  if (tokens % blockSize === 0 && tokens > 0) return tokens / blockSize;
  throw new InputError(
    `${where}: block_size is ${tokens}; it must be a multiple of the engine's block size of ${blockSize} tokens, ` +
      `such as ${Math.max(1, Math.ceil(tokens / blockSize)) * blockSize}; or give blocks_per_chunk.`,
  );
}

const where = '--kv-transfer-config, kv_connector_extra_config';

/** Python's `int()` takes numbers and their texts, and cuts off what follows the point. */
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
