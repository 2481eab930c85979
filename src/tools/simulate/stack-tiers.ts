// What lies below the engines of a values file: vLLM's native offload, or LMCache with the levels that
// the file gives it.
import { InputError } from '../../core/base/index.ts';
import {
  ChunkStore,
  type EngineConfig,
  type KvConnector,
  type LayoutOptions,
  Lmcache,
  lmcacheFor,
  NativeOffload,
  nativeOffloadFor,
} from '../../core/engine/index.ts';
import type { ModelSpec as ModelEntry, Values } from '../../core/values/index.ts';
import type { ExtraArguments } from './extra-arguments.ts';

export interface EngineTiers {
  readonly createConnector: ((engine: number) => KvConnector) | undefined;
  /** In words; undefined for nothing. */
  readonly offload: string | undefined;
}

/** When the store that engines share is gone, with all that it held, and when it answers again. */
export interface Outage {
  readonly fromSeconds: number;
  readonly untilSeconds: number;
}

/** In place of what the values say: host memory of each engine, all its GPUs together. */
export interface OffloadChoice {
  readonly kind: 'none' | 'native' | 'lmcache';
  readonly hostBytes: number;
}

const gibibyte = 2 ** 30;
const giga = 1e9;
/** One NVMe drive on PCIe 4.0 x4, as data sheets have it for reading and for writing. */
const diskLinks = {
  read: { bytesPerSecond: 7 * giga },
  write: { bytesPerSecond: 5 * giga },
};
/** EXIST and GET of an lm:// server in one network: a round trip each, 60 to 120 µs on loopback. */
const storeLatencySeconds = 0.2e-3;

/** The store that all engines share, if the values have one: made once for a simulation. */
export function sharedStore(
  { cacheserverSpec }: Values,
  layout: LayoutOptions,
  blockSize: number,
  outage: Outage | undefined,
): ChunkStore | undefined {
  const { enabled, capacityGB, linkGbps } = cacheserverSpec;
  if (!enabled) return undefined;
  const { chunkBytes } = lmcacheFor(layout, { hostBytes: 0, blockSize });
  const link = { bytesPerSecond: (linkGbps / 8) * giga, latencySeconds: storeLatencySeconds };
  const chunksMax =
    capacityGB === undefined
      ? Number.POSITIVE_INFINITY
      : Math.floor((capacityGB * giga) / chunkBytes);
  return new ChunkStore({ name: 'shared', chunksMax, chunkBytes, read: link, write: link, outage });
}

/** @throws {InputError} If the values ask for both, or for sizes that cannot be. */
export function tiersOf(
  entry: ModelEntry,
  layout: LayoutOptions,
  config: EngineConfig,
  below: {
    readonly extra: ExtraArguments;
    readonly store: ChunkStore | undefined;
    readonly choice: OffloadChoice | undefined;
  },
): EngineTiers {
  const { extra, store, choice } = below;
  if (choice?.kind === 'none') return { createConnector: undefined, offload: undefined };
  if (choice?.kind === 'native') {
    const { hostBytes } = choice;
    return nativeTiers(layout, config, { ...extra, hostBytes, hostBlocks: undefined });
  }
  if (choice?.kind === 'lmcache') {
    return lmcacheTiers(layout, config, store, { hostBytes: choice.hostBytes, diskBytes: 0 });
  }
  const isNative = extra.hostBytes !== undefined || extra.hostBlocks !== undefined;
  // The chart starts LMCache without host memory where it is to hand over KV.
  const { enabled, enablePD } = entry.lmcacheConfig ?? {};
  if (enabled !== true || enablePD === true) {
    if (!isNative) return { createConnector: undefined, offload: undefined };
    return nativeTiers(layout, config, extra);
  }
  if (!isNative) {
    // LMCache's sizes are of each worker process, one a GPU.
    const gpus = layout.tensorParallelSize ?? 1;
    return lmcacheTiers(layout, config, store, {
      hostBytes: bytesOf(entry, 'cpuOffloadingBufferSize') * gpus,
      diskBytes: bytesOf(entry, 'diskOffloadingBufferSize') * gpus,
    });
  }
  throw new InputError(
    `${entry.name} asks for native offload (extraArgs) and for LMCache (lmcacheConfig.enabled); leave one out.`,
  );
}

function nativeTiers(
  layout: LayoutOptions,
  { blockSize, enablePrefixCaching }: EngineConfig,
  { hostBytes = gibibyte, hostBlocks, offload }: ExtraArguments,
): EngineTiers {
  const sized = nativeOffloadFor(layout, { hostBytes, blockSize, ...offload });
  const chunksMax =
    hostBlocks === undefined ? sized.chunksMax : Math.floor(hostBlocks / sized.blocksPerChunk);
  const native = { ...sized, chunksMax };
  const blocks = chunksMax * native.blocksPerChunk;
  return {
    createConnector: () => new NativeOffload({ config: native, blockSize, enablePrefixCaching }),
    offload: `native, ${gib(chunksMax * native.chunkBytes)} of host memory (${blocks} blocks)`,
  };
}

function lmcacheTiers(
  layout: LayoutOptions,
  { blockSize }: EngineConfig,
  store: ChunkStore | undefined,
  { hostBytes, diskBytes }: { readonly hostBytes: number; readonly diskBytes: number },
): EngineTiers {
  const config = lmcacheFor(layout, { hostBytes, blockSize });
  const { chunkBytes } = config;
  const disk = () =>
    new ChunkStore({
      ...{ name: 'disk', chunksMax: Math.floor(diskBytes / chunkBytes), chunkBytes },
      ...diskLinks,
    });
  const words = [
    `${gib(hostBytes)} of host memory`,
    ...(diskBytes > 0 ? [`${gib(diskBytes)} of disk`] : []),
    ...(store ? ['a shared store'] : []),
  ];
  return {
    createConnector: () => {
      const stores = [...(diskBytes > 0 ? [disk()] : []), ...(store ? [store] : [])];
      return new Lmcache({ config, blockSize, stores });
    },
    offload: `LMCache, ${words.join(', ')}`,
  };
}

function bytesOf(
  { name, lmcacheConfig }: ModelEntry,
  key: 'cpuOffloadingBufferSize' | 'diskOffloadingBufferSize',
): number {
  const given = lmcacheConfig?.[key] ?? 0;
  const gigabytes = Number(given);
  if (!Number.isNaN(gigabytes)) return gigabytes * gibibyte;
  throw new InputError(
    `lmcacheConfig.${key} of ${name} is ${given}; a simulation needs a number of GB.`,
  );
}

function gib(bytes: number): string {
  return `${(bytes / gibibyte).toFixed(1)} GiB`;
}
