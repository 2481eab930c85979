// LMCache's peer-to-peer sharing: the host memories of other engines as a tier. LMCache's controller knows who has what.
import type { BlockKey } from '../../kv/index.ts';
import type { LmcacheStore, TierResidency } from './contract.ts';
import { TransferLink, type TransferLinkOptions } from './transfer-link.ts';

export interface PeerGroupOptions {
  /** Size of one chunk of one engine. */
  readonly chunkBytes: number;
  /** The network link of each engine, one in each direction. */
  readonly link: TransferLinkOptions;
  /** Latency of the controller's reply, once per prompt. */
  readonly lookupSeconds: number;
}

/** A link of 100 Gbit/s, one port of a node, and a round trip to the controller and back; an estimate, since LMCache has published none. */
export const peerDefaults = {
  link: { bytesPerSecond: 12.5e9, latencySeconds: 0.2e-3 },
  lookupSeconds: 1e-3,
} as const;

/** The host memory of one engine: its LMCache. */
export interface PeerMemory {
  holds(key: BlockKey): boolean;
  /** A peer reads a chunk. @returns False if it is not there. */
  lend(key: BlockKey): boolean;
}

/**
 * Engines of one model on one clock. A transfer waits for those before it on both links; it neither moves the chunk nor keeps a
 * copy in the reader's host memory, as in LMCache 0.5.6. Chunks of one prompt may come from several engines, where LMCache
 * asks one.
 *
 * @example
 * const peers = group.join(0);
 * const lmcache = new Lmcache({ config, blockSize, stores: [peers] });
 * peers.share(lmcache);
 */
export class PeerGroup {
  readonly #options: PeerGroupOptions;
  readonly #members = new Map<number, PeerStore>();

  constructor(options: PeerGroupOptions) {
    this.#options = options;
  }

  /** Returns what an engine sees of the others. An engine that starts again shares nothing of what it had. */
  join(engine: number): PeerStore {
    const store = new PeerStore(this.#options, () => this.#members.values());
    this.#members.set(engine, store);
    return store;
  }
}

class PeerStore implements LmcacheStore {
  readonly source = 'p2p';
  readonly keepsReads = false;
  readonly lookupSeconds = 0;
  readonly promptLookupSeconds: number;
  /** Each engine counts its own host memory. */
  readonly residencies: readonly TierResidency[] = [];
  readonly #chunkBytes: number;
  readonly #members: () => Iterable<PeerStore>;
  readonly #incoming: TransferLink;
  readonly #outgoing: TransferLink;
  #memory: PeerMemory | undefined;

  constructor(
    { chunkBytes, link, lookupSeconds }: PeerGroupOptions,
    members: () => Iterable<PeerStore>,
  ) {
    this.#chunkBytes = chunkBytes;
    this.#members = members;
    this.#incoming = new TransferLink(link);
    this.#outgoing = new TransferLink(link);
    this.promptLookupSeconds = lookupSeconds;
    this.chunkReadSeconds = chunkBytes / link.bytesPerSecond;
  }

  readonly chunkReadSeconds: number;

  /** Lets the others read. */
  share(memory: PeerMemory): void {
    this.#memory = memory;
  }

  has(key: BlockKey): boolean {
    return this.#holderOf(key) !== undefined;
  }

  readSeconds(keys: readonly BlockKey[], nowSeconds: number): number {
    return this.#incoming.estimateSeconds(keys.length * this.#chunkBytes, nowSeconds);
  }

  read(keys: readonly BlockKey[], nowSeconds: number): number {
    const counts = new Map<PeerStore, number>();
    for (const key of keys) {
      const holder = this.#holderOf(key);
      if (holder === undefined) continue;
      holder.#memory?.lend(key);
      counts.set(holder, (counts.get(holder) ?? 0) + 1);
    }
    let endSeconds = this.#incoming.transfer(keys.length * this.#chunkBytes, nowSeconds);
    for (const [holder, chunks] of counts) {
      const sentSeconds = holder.#outgoing.transfer(chunks * this.#chunkBytes, nowSeconds);
      endSeconds = Math.max(endSeconds, sentSeconds);
    }
    return endSeconds;
  }

  /** What an engine stores is in its own host memory. */
  write(): undefined {
    return undefined;
  }

  clear(): void {}

  #holderOf(key: BlockKey): PeerStore | undefined {
    for (const member of this.#members()) {
      if (member !== this && member.#memory?.holds(key)) return member;
    }
    return undefined;
  }
}
