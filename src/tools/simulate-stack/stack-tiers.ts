// The tiers below the engines of a values file: vLLM's native offload, or LMCache with the levels that the
// file gives it.
import { InputError } from '../../core/base/index.ts';
import {
  ChunkStore,
  type KvConnector,
  Lmcache,
  lmcacheFor,
  NativeOffload,
  nativeOffloadFor,
  onlyCheaperLoads,
  type StepCostModel,
} from '../../core/engine/index.ts';
import { kvTierCosts, lmcacheSizes, sharesWithPeers } from '../../core/layout/index.ts';
import type { SizedEngine } from '../../core/sizing/index.ts';
import type { ModelEntry } from '../../core/values/index.ts';
import type { OffloadSettings, SecondaryTier } from './offload-settings.ts';
import type { DiskLinks, SharedStores } from './shared-stores.ts';

export interface EngineTiers {
  readonly createConnector: ((engine: number) => KvConnector) | undefined;
  /** Description of the tiers; undefined for none. */
  readonly offload: string | undefined;
}

/** Overrides the values: host memory of each engine, summed over its GPUs. */
export interface OffloadChoice {
  readonly kind: 'none' | 'native' | 'lmcache';
  readonly hostBytes: number;
}

/** An engine, what its tiers cost, and the stores that it may share with others. */
interface TierSite {
  readonly entry: ModelEntry;
  readonly engine: SizedEngine;
  readonly costs: ReturnType<typeof kvTierCosts>;
  readonly stores: SharedStores;
}

const gibibyte = 2 ** 30;
/** One NVMe drive on PCIe 4.0 x4, as data sheets give its reads and writes, bytes per second. */
const driveBytesPerSecond = { read: 7e9, write: 5e9 };

/** @throws {InputError} If the values ask for both, or for sizes that cannot be. */
export function tiersOf(
  entry: ModelEntry,
  engine: SizedEngine,
  below: {
    readonly settings: OffloadSettings;
    readonly stores: SharedStores;
    readonly choice: OffloadChoice | undefined;
  },
): EngineTiers {
  const { settings, stores, choice } = below;
  const site = { entry, engine, costs: kvTierCosts(entry), stores };
  const tiers =
    choice === undefined
      ? tiersInValues(entry, site, settings)
      : chosenTiers(choice, site, settings);
  return site.costs.loadsOnlyCheaper ? loadingOnlyCheaper(tiers, engine.cost) : tiers;
}

const nothing: EngineTiers = { createConnector: undefined, offload: undefined };

function chosenTiers(
  { kind, hostBytes }: OffloadChoice,
  site: TierSite,
  settings: OffloadSettings,
): EngineTiers {
  switch (kind) {
    case 'none':
      return nothing;
    case 'native':
      return nativeTiers(site, { ...settings, hostBytes, hostBlocks: undefined });
    case 'lmcache':
      return lmcacheTiers(site, { hostBytes, diskBytes: 0 });
  }
}

function tiersInValues(entry: ModelEntry, site: TierSite, settings: OffloadSettings): EngineTiers {
  const isNative = settings.hostBytes !== undefined || settings.hostBlocks !== undefined;
  const perWorker = lmcacheSizes(entry);
  if (isNative && perWorker !== undefined) {
    throw new InputError(
      `${entry.name} requests native offload (extraArgs) and LMCache (lmcacheConfig.enabled); remove one.`,
    );
  }
  if (isNative) return nativeTiers(site, settings);
  if (perWorker === undefined) return nothing;
  const { tensorParallelSize, pipelineParallelSize } = site.engine;
  const workers = tensorParallelSize * pipelineParallelSize;
  return lmcacheTiers(site, {
    hostBytes: perWorker.hostBytes * workers,
    diskBytes: perWorker.diskBytes * workers,
  });
}

function loadingOnlyCheaper(
  { createConnector, offload }: EngineTiers,
  cost: StepCostModel,
): EngineTiers {
  if (createConnector === undefined) return nothing;
  return {
    createConnector: (engine) => onlyCheaperLoads({ connector: createConnector(engine), cost }),
    offload: `${offload}, loaded where that is cheaper`,
  };
}

function nativeTiers(
  { engine, costs, stores }: TierSite,
  { hostBytes = gibibyte, hostBlocks, offload, secondaryTiers }: OffloadSettings,
): EngineTiers {
  const { blockSize, enablePrefixCaching } = engine.config;
  const sized = nativeOffloadFor(engine, { hostBytes, blockSize, ...offload, ...ownCosts(costs) });
  const chunksMax =
    hostBlocks === undefined ? sized.chunksMax : Math.floor(hostBlocks / sized.blocksPerChunk);
  const native = { ...sized, chunksMax };
  const { chunkBytes } = native;
  const blocks = chunksMax * native.blocksPerChunk;
  const links = diskLinks(costs);
  const storeOf = (tier: SecondaryTier): ChunkStore => {
    if (tier === 'object') return stores.object(chunkBytes);
    if (tier === 'shared-disk') return stores.folder(chunkBytes, links);
    // vLLM neither limits a folder nor removes anything from it.
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

/** @param sizes Summed over the engine's GPUs. */
function lmcacheTiers(
  { entry, engine, costs, stores }: TierSite,
  sizes: { readonly hostBytes: number; readonly diskBytes: number },
): EngineTiers {
  const { hostBytes, diskBytes } = sizes;
  const { lookupSeconds } = costs;
  const { blockSize } = engine.config;
  const config = lmcacheFor(engine, {
    ...{ hostBytes, blockSize, ...ownCosts(costs) },
    ...(lookupSeconds !== undefined && { lookupSeconds }),
  });
  const { chunkBytes } = config;
  const shared = stores.ofLmcache(chunkBytes);
  const disk = {
    ...{ name: 'disk', chunksMax: Math.floor(diskBytes / chunkBytes), chunkBytes },
    ...diskLinks(costs),
  };
  const disks = diskBytes === 0 ? [] : [disk];
  const peers = sharesWithPeers(entry)
    ? stores.peersOf(entry.modelURL ?? entry.name, chunkBytes, costs.peerBytesPerSecond)
    : undefined;
  const words = [
    `${gib(hostBytes)} of host memory`,
    ...(peers === undefined ? [] : ['that of the other engines']),
    ...disks.map(() => `${gib(diskBytes)} of disk`),
    ...(shared?.residencies ?? []).map(({ name }) =>
      name === 'object' ? secondaryNames.object : 'a shared store',
    ),
  ];
  return {
    createConnector: (index) => {
      const own = peers?.join(index);
      const below = [...disks.map((one) => new ChunkStore(one)), ...(shared ? [shared] : [])];
      const stores = own === undefined ? below : [own, ...below];
      const lmcache = new Lmcache({ config, blockSize, stores });
      own?.share(lmcache);
      return lmcache;
    },
    offload: `LMCache, ${words.join(', ')}`,
  };
}

/** The engine's own costs that the values set; its GPU and its connector have defaults for the others. */
function ownCosts({ hostBytesPerSecond, stepSeconds }: TierSite['costs']) {
  return {
    ...(hostBytesPerSecond !== undefined && { link: { bytesPerSecond: hostBytesPerSecond } }),
    ...(stepSeconds !== undefined && { stepSeconds }),
  };
}

function diskLinks({
  diskReadBytesPerSecond,
  diskWriteBytesPerSecond,
}: TierSite['costs']): DiskLinks {
  return {
    read: { bytesPerSecond: diskReadBytesPerSecond ?? driveBytesPerSecond.read },
    write: { bytesPerSecond: diskWriteBytesPerSecond ?? driveBytesPerSecond.write },
  };
}

function gib(bytes: number): string {
  return `${(bytes / gibibyte).toFixed(1)} GiB`;
}
