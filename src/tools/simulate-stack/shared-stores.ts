// The stores that all engines of a stack share: LMCache's server, an object store, a folder. The first engine
// that needs one creates it.
import {
  ChunkStore,
  PeerGroup,
  peerDefaults,
  type TransferLinkOptions,
} from '../../core/engine/index.ts';
import type { Values } from '../../core/values/index.ts';

/** When the shared server fails, with everything that it stored, and when it is available again. */
export interface Outage {
  readonly fromSeconds: number;
  readonly untilSeconds: number;
}

export interface DiskLinks {
  readonly read: TransferLinkOptions;
  readonly write: TransferLinkOptions;
}

const giga = 1e9;
/** GET and PUT of an lm:// server in one network take a round trip: 60 to 120 µs on loopback. */
const serverLatencySeconds = 0.2e-3;

export class SharedStores {
  readonly #values: Values['cacheserverSpec'];
  readonly #outage: Outage | undefined;
  readonly #made = new Map<string, ChunkStore>();
  readonly #peers = new Map<string, PeerGroup>();

  constructor({ cacheserverSpec }: Values, outage?: Outage) {
    this.#values = cacheserverSpec;
    this.#outage = outage;
  }

  /** Whether an engine uses the server, the store that an outage removes. */
  get hasServer(): boolean {
    return this.#made.has('shared');
  }

  /** Returns LMCache's store below host memory and disk: the server, or else the object store. */
  ofLmcache(chunkBytes: number): ChunkStore | undefined {
    const { enabled, objectStore } = this.#values;
    const object = objectStore.enabled ? this.object(chunkBytes) : undefined;
    return enabled ? this.#server(chunkBytes, object) : object;
  }

  /** Returns the engines of a model that read out of each other's host memory. */
  peersOf(model: string, chunkBytes: number, bytesPerSecond: number | undefined): PeerGroup {
    const link = {
      ...peerDefaults.link,
      ...(bytesPerSecond !== undefined && { bytesPerSecond }),
    };
    const { lookupSeconds } = peerDefaults;
    const group = this.#peers.get(model) ?? new PeerGroup({ chunkBytes, link, lookupSeconds });
    this.#peers.set(model, group);
    return group;
  }

  /** Returns S3 or Ceph RGW, whether or not the values enable it for LMCache. */
  object(chunkBytes: number): ChunkStore {
    const { capacityGB, latencyMs, requestMBps, connections, linkGbps } = this.#values.objectStore;
    const link = {
      ...{ bytesPerSecond: (linkGbps / 8) * giga, latencySeconds: latencyMs / 1000 },
      requests: { atOnceMax: connections, bytesPerSecond: requestMBps * 1e6 },
    };
    return this.#once('object', () => ({
      ...{ chunksMax: chunksOf(capacityGB, chunkBytes), chunkBytes, read: link, write: link },
      // One HEAD request per chunk, all concurrent.
      ...{ lookupSeconds: link.latencySeconds, source: 'disk' },
    }));
  }

  /** Returns a folder on storage that all engines mount. */
  folder(chunkBytes: number, links: DiskLinks): ChunkStore {
    const chunksMax = Number.POSITIVE_INFINITY;
    return this.#once('folder', () => ({ chunksMax, chunkBytes, ...links, source: 'disk' }));
  }

  #server(chunkBytes: number, below: ChunkStore | undefined): ChunkStore {
    const { capacityGB, linkGbps, lookupMs, eviction } = this.#values;
    const link = { bytesPerSecond: (linkGbps / 8) * giga, latencySeconds: serverLatencySeconds };
    return this.#once('shared', () => ({
      ...{ chunksMax: chunksOf(capacityGB, chunkBytes), chunkBytes, read: link, write: link },
      ...{ lookupSeconds: lookupMs / 1000, below, outage: this.#outage, eviction },
    }));
  }

  #once(
    name: string,
    options: () => Omit<ConstructorParameters<typeof ChunkStore>[0], 'name'>,
  ): ChunkStore {
    const store = this.#made.get(name) ?? new ChunkStore({ name, ...options() });
    this.#made.set(name, store);
    return store;
  }
}

function chunksOf(capacityGB: number | undefined, chunkBytes: number): number {
  if (capacityGB === undefined) return Number.POSITIVE_INFINITY;
  return Math.floor((capacityGB * giga) / chunkBytes);
}
