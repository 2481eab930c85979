// LMCache as a tier of one engine: its own settings, and the emulation's, which stand in the connector's configuration.
import { InputError } from '../../../core/base/index.ts';
import {
  type BlockKey,
  ChunkStore,
  type ChunkStoreOptions,
  type KvConnector,
  type LayoutOptions,
  Lmcache,
  type LmcacheConfig,
  lmcacheFor,
  onlyCheaperLoads,
  peerDefaults,
  type StepCostModel,
  type TierListener,
  type TransferLinkOptions,
} from '../../../core/engine/index.ts';
import {
  type CacheAddress,
  openCacheClient,
  parseCacheUrl,
} from '../../../io/cache-client/index.ts';
import { ChunkNames } from './chunk-names.ts';
import { type ChunkValues, chunkValues } from './chunk-values.ts';
import { ControllerReport, type Location } from './controller-report.ts';
import { DiskStore } from './disk-store.ts';
import {
  hashSeedDefault,
  type LmcacheController,
  type LmcachePeers,
  type LmcacheSettings,
} from './lmcache-settings.ts';
import { MovedChunks } from './moved-chunks.ts';
import type { OutsideWork } from './outside-work.ts';
import { PeerStore } from './peer-store.ts';
import { RemoteStore } from './remote-store.ts';
import { takeOrders } from './worker-orders.ts';

export interface LmcacheTierOptions {
  readonly connector: 'LMCacheConnectorV1';
  readonly config: LmcacheConfig;
  readonly disk: LmcacheDisk | undefined;
  readonly remote: LmcacheRemote | undefined;
  readonly peers: LmcachePeerLinks | undefined;
  readonly values: ChunkValues;
  readonly controller: LmcacheController | undefined;
  /** PYTHONHASHSEED. */
  readonly hashSeed: number;
  readonly loadsOnlyCheaper: boolean;
}

interface LmcacheRemote {
  readonly address: CacheAddress;
  readonly link: TransferLinkOptions;
  readonly lookupSeconds: number;
  readonly timeoutMs: number;
}

interface LmcacheDisk extends ChunkStoreOptions {
  /** Where its files are; undefined for a disk that is only modelled. */
  readonly folder: string | undefined;
}

interface LmcachePeerLinks {
  readonly peers: LmcachePeers;
  readonly link: TransferLinkOptions;
  readonly lookupSeconds: number;
  readonly timeoutMs: number;
}

type Extra = Readonly<Record<string, unknown>>;

/** A round trip in one network; as in simulations. */
const serverLatencySeconds = 0.2e-3;
/** @throws {InputError} If the settings cannot work. */
export function lmcacheTier(
  lmcache: LmcacheSettings,
  extra: Extra,
  layout: LayoutOptions & { readonly modelName?: string | undefined },
  blockSize: number,
): LmcacheTierOptions {
  const own = numbersIn(extra);
  const { hostBytes, diskBytes, chunkTokens } = lmcache;
  const workers = (layout.tensorParallelSize ?? 1) * (layout.pipelineParallelSize ?? 1);
  const config = lmcacheFor(layout, {
    ...{ hostBytes: hostBytes * workers, blockSize, chunkTokens },
    ...(own.host_gbyteps !== undefined && { link: { bytesPerSecond: own.host_gbyteps * 1e9 } }),
    ...(own.host_lookup_ms !== undefined && { lookupSeconds: own.host_lookup_ms / 1000 }),
    ...(own.step_ms !== undefined && { stepSeconds: own.step_ms / 1000 }),
  });
  const { chunkBytes } = config;
  return {
    ...{ connector: 'LMCacheConnectorV1', config },
    ...{ controller: lmcache.controller, hashSeed: lmcache.hashSeed ?? hashSeedDefault },
    loadsOnlyCheaper: extra['spillway.load'] === 'cheaper',
    disk:
      diskBytes === 0
        ? undefined
        : {
            ...{ name: 'disk', chunkBytes, source: 'disk', folder: lmcache.diskFolder },
            chunksMax: Math.floor((diskBytes * workers) / chunkBytes),
            read: { bytesPerSecond: (own.disk_read_gbyteps ?? 7) * 1e9 },
            write: { bytesPerSecond: (own.disk_write_gbyteps ?? 5) * 1e9 },
          },
    remote: lmcache.remoteUrl === undefined ? undefined : remoteOf(lmcache, own),
    values: valuesOf(own, layout, config),
    peers: lmcache.peers && peersOf(lmcache.peers, lmcache.timeoutMs, own),
  };
}

export function createLmcache(
  tier: LmcacheTierOptions,
  engine: {
    readonly blockSize: number;
    readonly cost: StepCostModel;
    readonly log?: ((line: string) => void) | undefined;
  },
  listener: TierListener,
  outside: OutsideWork,
): KvConnector {
  const { config, disk, remote, controller, hashSeed, loadsOnlyCheaper, values } = tier;
  const { blockSize, log } = engine;
  const names = new ChunkNames({ blocksPerChunk: config.blocksPerChunk, blockSize, hashSeed });
  const report = controller && new ControllerReport(controller, names, log);
  const moved = report && new MovedChunks(names, report);
  const common = {
    ...{ chunkBytes: config.chunkBytes, values, outside, log },
    nowMs: () => performance.now(),
    nameOf: (key: BlockKey) => names.of(key),
  };
  const peers =
    tier.peers &&
    report &&
    new PeerStore({
      ...{ ...common, ...tier.peers, report },
      chunkTokens: config.blocksPerChunk * blockSize,
    });
  const changed = (location: Location) => (key: BlockKey, isStored: boolean) =>
    isStored ? report?.stored(location, [key]) : report?.removed(location, [key]);
  const diskOf = ({ folder, ...options }: LmcacheDisk) => {
    const model = { ...options, onChange: changed('LocalDiskBackend') };
    return folder === undefined
      ? new ChunkStore(model)
      : new DiskStore({ ...common, folder, model });
  };
  const stores = [
    ...(peers === undefined ? [] : [peers]),
    ...(disk === undefined ? [] : [diskOf(disk)]),
    ...(remote === undefined
      ? []
      : [
          new RemoteStore({
            ...{ ...common, ...remote },
            client: openCacheClient(remote.address, { timeoutMs: remote.timeoutMs }),
            onKnown: changed('RemoteBackend'),
          }),
        ]),
  ];
  const connector: Lmcache = new Lmcache({
    ...{ config, blockSize, stores },
    listener: {
      ...listener,
      lookingUp: (sequence) => {
        names.learn(sequence);
        moved?.adopt(sequence, connector);
      },
      stored: (keys, medium) => {
        listener.stored?.(keys, medium);
        report?.stored('LocalCPUBackend', keys);
      },
      removed: (keys, medium) => {
        const own = moved?.forget(keys) ?? keys;
        if (own.length > 0) listener.removed?.(own, medium);
        report?.removed('LocalCPUBackend', keys);
      },
      emptied: () => report?.emptied(),
    },
  });
  if (report !== undefined) {
    const disks = stores.filter(({ source }) => source === 'disk');
    const orders = {
      ...{ connector, disks, names, report, peers },
      chunkTokens: config.blocksPerChunk * blockSize,
    };
    outside.onListening(async (url) => {
      const port = await takeOrders(url, controller?.workerPort ?? 0, orders, outside);
      const peerInitUrl = await peers?.open(
        url,
        (key) => connector.lend(key),
        (hash) => moved?.take(hash, connector) ?? false,
      );
      report.start(url, { port, peerInitUrl });
    });
    outside.onClose(() => report.close());
  }
  return loadsOnlyCheaper ? onlyCheaperLoads({ connector, cost: engine.cost }) : connector;
}

type Numbers = ReturnType<typeof numbersIn>;

function remoteOf({ remoteUrl = '', timeoutMs }: LmcacheSettings, own: Numbers): LmcacheRemote {
  return {
    address: parseCacheUrl(remoteUrl, 'LMCache’s remote_url (LMCACHE_REMOTE_URL)'),
    timeoutMs,
    link: {
      bytesPerSecond: ((own.link_gbps ?? 15) / 8) * 1e9,
      latencySeconds: serverLatencySeconds,
    },
    lookupSeconds: (own.lookup_ms ?? 0.1) / 1000,
  };
}

function peersOf(peers: LmcachePeers, timeoutMs: number, own: Numbers): LmcachePeerLinks {
  const { link, lookupSeconds } = peerDefaults;
  const rate = own.peer_gbyteps;
  return {
    ...{ peers, lookupSeconds, timeoutMs },
    link: { ...link, ...(rate !== undefined && { bytesPerSecond: rate * 1e9 }) },
  };
}

function valuesOf(
  own: Numbers,
  {
    modelName = 'model',
    tensorParallelSize = 1,
  }: { modelName?: string | undefined; tensorParallelSize?: number | undefined },
  { chunkBytes }: LmcacheConfig,
): ChunkValues {
  const share = own.byte_share ?? 1;
  if (!(share > 0 && share <= 1)) {
    throw new InputError(
      `${where}: spillway.byte_share is ${share}; it must be above 0 and at most 1.`,
    );
  }
  return chunkValues(modelName, tensorParallelSize, chunkBytes, share);
}

const where = '--kv-transfer-config, kv_connector_extra_config';
const numberNames = [
  ...(['byte_share', 'link_gbps', 'lookup_ms', 'host_gbyteps', 'host_lookup_ms'] as const),
  ...(['step_ms', 'disk_read_gbyteps', 'disk_write_gbyteps', 'peer_gbyteps'] as const),
] as const;

/** The keys that begin with `spillway.`: what the emulation needs and LMCache has no name for. */
function numbersIn(extra: Extra): Partial<Record<(typeof numberNames)[number], number>> {
  const known: readonly string[] = [...numberNames, 'load'];
  for (const key of Object.keys(extra)) {
    if (key.startsWith('spillway.') && !known.includes(key.slice('spillway.'.length))) {
      throw new InputError(
        `${where}: there is no ${key}; known are ${known.map((name) => `spillway.${name}`).join(', ')}.`,
      );
    }
  }
  const values = numberNames.flatMap((name) => {
    const value = extra[`spillway.${name}`];
    if (value === undefined) return [];
    if (typeof value === 'number' && value >= 0) return [[name, value] as const];
    throw new InputError(
      `${where}: spillway.${name} is ${JSON.stringify(value)}; it must be a number, 0 or more.`,
    );
  });
  return Object.fromEntries(values);
}
