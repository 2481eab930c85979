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
  onlyCheaperLoads,
  type StepCostModel,
} from '../../core/engine/index.ts';
import type { ModelSpec as ModelEntry } from '../../core/values/index.ts';
import type { ExtraArguments, SecondaryTier } from './extra-arguments.ts';
import type { DiskLinks, SharedStores } from './shared-stores.ts';

export interface EngineTiers {
  readonly createConnector: ((engine: number) => KvConnector) | undefined;
  /** In words; undefined for nothing. */
  readonly offload: string | undefined;
}

/** In place of what the values say: host memory of each engine, all its GPUs together. */
export interface OffloadChoice {
  readonly kind: 'none' | 'native' | 'lmcache';
  readonly hostBytes: number;
}

const gibibyte = 2 ** 30;
const giga = 1e9;
/** One NVMe drive on PCIe 4.0 x4, as data sheets have it for reading and for writing, 10^9 byte/s. */
const driveGBps = { read: 7, write: 5 };

/** @throws {InputError} If the values ask for both, or for sizes that cannot be. */
export function tiersOf(
  entry: ModelEntry,
  engine: {
    readonly layout: LayoutOptions;
    readonly config: EngineConfig;
    readonly cost: StepCostModel;
  },
  below: {
    readonly extra: ExtraArguments;
    readonly stores: SharedStores;
    readonly choice: OffloadChoice | undefined;
  },
): EngineTiers {
  const { extra, stores, choice } = below;
  const made = (tiers: EngineTiers) => loadingOnly(entry.kvTiers?.load, tiers, engine.cost);
  if (choice?.kind === 'none') return nothing;
  if (choice?.kind === 'native') {
    const { hostBytes } = choice;
    const settings = { ...extra, hostBytes, hostBlocks: undefined };
    return made(nativeTiers(entry, engine, stores, settings));
  }
  if (choice?.kind === 'lmcache') {
    const sizes = { hostBytes: choice.hostBytes, diskBytes: 0 };
    return made(lmcacheTiers(entry, engine, stores, sizes));
  }
  const isNative = extra.hostBytes !== undefined || extra.hostBlocks !== undefined;
  // The chart starts LMCache without host memory where it is to hand over KV.
  const { enabled, enablePD } = entry.lmcacheConfig ?? {};
  if (enabled !== true || enablePD === true) {
    return isNative ? made(nativeTiers(entry, engine, stores, extra)) : nothing;
  }
  if (!isNative) {
    // LMCache's sizes are of each worker process, one a GPU.
    const gpus = engine.layout.tensorParallelSize ?? 1;
    const sizes = {
      hostBytes: bytesOf(entry, 'cpuOffloadingBufferSize') * gpus,
      diskBytes: bytesOf(entry, 'diskOffloadingBufferSize') * gpus,
    };
    return made(lmcacheTiers(entry, engine, stores, sizes));
  }
  throw new InputError(
    `${entry.name} asks for native offload (extraArgs) and for LMCache (lmcacheConfig.enabled); leave one out.`,
  );
}

const nothing: EngineTiers = { createConnector: undefined, offload: undefined };

function loadingOnly(
  load: 'always' | 'cheaper' | undefined,
  { createConnector, offload }: EngineTiers,
  cost: StepCostModel,
): EngineTiers {
  if (load !== 'cheaper' || createConnector === undefined) return { createConnector, offload };
  return {
    createConnector: (engine) => onlyCheaperLoads({ connector: createConnector(engine), cost }),
    offload: `${offload}, loaded where that is cheaper`,
  };
}

function nativeTiers(
  entry: ModelEntry,
  { layout, config }: { readonly layout: LayoutOptions; readonly config: EngineConfig },
  stores: SharedStores,
  { hostBytes = gibibyte, hostBlocks, offload, secondaryTiers }: ExtraArguments,
): EngineTiers {
  const { blockSize, enablePrefixCaching } = config;
  const settings = { hostBytes, blockSize, ...offload, ...ownCosts(entry) };
  const sized = nativeOffloadFor(layout, settings);
  const chunksMax =
    hostBlocks === undefined ? sized.chunksMax : Math.floor(hostBlocks / sized.blocksPerChunk);
  const native = { ...sized, chunksMax };
  const { chunkBytes } = native;
  const blocks = chunksMax * native.blocksPerChunk;
  const links = diskLinks(entry);
  const storeOf = (tier: SecondaryTier): ChunkStore => {
    if (tier === 'object') return stores.object(chunkBytes);
    if (tier === 'shared-disk') return stores.folder(chunkBytes, links);
    // vLLM sets no limit to a folder, and removes nothing from it.
    const chunks = { chunksMax: Number.POSITIVE_INFINITY, chunkBytes };
    return new ChunkStore({ name: 'disk', ...chunks, ...links, source: 'disk' });
  };
  const words = [
    `native, ${gib(chunksMax * chunkBytes)} of host memory (${blocks} blocks)`,
    ...secondaryTiers.map((tier) => secondaryNames[tier]),
  ];
  return {
    createConnector: () => {
      const below = secondaryTiers.map(storeOf);
      return new NativeOffload({ config: native, blockSize, enablePrefixCaching, stores: below });
    },
    offload: words.join(', '),
  };
}

const secondaryNames: Readonly<Record<SecondaryTier, string>> = {
  disk: 'a disk',
  'shared-disk': 'a shared folder',
  object: 'an object store',
};

function lmcacheTiers(
  entry: ModelEntry,
  { layout, config: { blockSize } }: { layout: LayoutOptions; config: EngineConfig },
  stores: SharedStores,
  { hostBytes, diskBytes }: { readonly hostBytes: number; readonly diskBytes: number },
): EngineTiers {
  const lookupMs = entry.kvTiers?.lookupMs;
  const config = lmcacheFor(layout, {
    ...{ hostBytes, blockSize, ...ownCosts(entry) },
    ...(lookupMs !== undefined && { lookupSeconds: lookupMs / 1000 }),
  });
  const { chunkBytes } = config;
  const shared = stores.ofLmcache(chunkBytes);
  const disk = () =>
    new ChunkStore({
      ...{ name: 'disk', chunksMax: Math.floor(diskBytes / chunkBytes), chunkBytes },
      ...diskLinks(entry),
    });
  const words = [
    `${gib(hostBytes)} of host memory`,
    ...(diskBytes > 0 ? [`${gib(diskBytes)} of disk`] : []),
    ...(shared?.residencies.map(({ name }) => sharedNames[name] ?? name) ?? []),
  ];
  return {
    createConnector: () => {
      const below = [...(diskBytes > 0 ? [disk()] : []), ...(shared ? [shared] : [])];
      return new Lmcache({ config, blockSize, stores: below });
    },
    offload: `LMCache, ${words.join(', ')}`,
  };
}

const sharedNames: Readonly<Record<string, string>> = {
  shared: 'a shared store',
  object: 'an object store',
};

/** What the values say of the engine's own costs, in place of what its GPU and its connector have. */
function ownCosts({ kvTiers: { hostGBps, stepMs } = {} }: ModelEntry) {
  return {
    ...(hostGBps !== undefined && { link: { bytesPerSecond: hostGBps * giga } }),
    ...(stepMs !== undefined && { stepSeconds: stepMs / 1000 }),
  };
}

function diskLinks({ kvTiers: { diskReadGBps, diskWriteGBps } = {} }: ModelEntry): DiskLinks {
  return {
    read: { bytesPerSecond: (diskReadGBps ?? driveGBps.read) * giga },
    write: { bytesPerSecond: (diskWriteGBps ?? driveGBps.write) * giga },
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
