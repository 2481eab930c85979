// The host memory of other engines as a tier of an emulated LMCache: the controller says who has a chunk, its bytes come over a
// socket, and the load takes as long as on the emulated link. LMCache itself transfers by RDMA.
import {
  type BlockKey,
  type LmcacheStore,
  TransferLink,
  type TransferLinkOptions,
} from '../../../core/engine/index.ts';
import { syntheticKv } from '../../../core/kv/index.ts';
import { openPeerServer, PeerClient } from '../../../io/lmcache-peer/index.ts';
import { ChunkAnswers } from './chunk-answers.ts';
import type { ChunkValues } from './chunk-values.ts';
import { addressOf, type ControllerReport } from './controller-report.ts';
import type { LmcachePeers } from './lmcache-settings.ts';
import type { LmcachePeerStats, OutsideWork } from './outside-work.ts';

export interface PeerStoreOptions {
  readonly peers: LmcachePeers;
  readonly report: ControllerReport;
  /** What stands for a chunk. */
  readonly values: ChunkValues;
  /** Size and length of a chunk on the emulated link. */
  readonly chunkBytes: number;
  readonly chunkTokens: number;
  /** The emulated link, each way. */
  readonly link: TransferLinkOptions;
  /** Latency of the controller's reply, once per prompt. */
  readonly lookupSeconds: number;
  readonly timeoutMs: number;
  readonly outside: OutsideWork;
  /** LMCache's own name of a chunk; undefined if it has none. */
  readonly nameOf: (key: BlockKey) => bigint | undefined;
  readonly log?: ((line: string) => void) | undefined;
  /** Monotonic milliseconds. */
  readonly nowMs: () => number;
}

/** Time without requests to a peer that failed, doubling; it is asked again, since the controller learns late that it is gone. */
const pauseMs = { first: 1000, max: 30_000 };

export class PeerStore implements LmcacheStore {
  readonly source = 'p2p';
  readonly keepsReads = false;
  readonly lookupSeconds = 0;
  readonly promptLookupSeconds: number;
  /** Each engine counts its own host memory. */
  readonly residencies = [];
  readonly #options: PeerStoreOptions;
  readonly #incoming: TransferLink;
  readonly #answers: ChunkAnswers;
  /** Peers that failed, and until when they are left alone. */
  readonly #paused = new Map<string, { readonly forMs: number; readonly untilMs: number }>();
  #client: PeerClient | undefined;
  #stats = { readChunks: 0, readBytes: 0, failedChunks: 0, wrong: 0 };

  constructor(options: PeerStoreOptions) {
    const { outside, nowMs } = options;
    this.#options = options;
    this.promptLookupSeconds = options.lookupSeconds;
    this.#incoming = new TransferLink(options.link);
    this.#answers = new ChunkAnswers({
      ...{ outside, nowMs },
      find: async (keys, firstNeeded) => await this.#find(keys, firstNeeded),
    });
    outside.peerStats.push(() => this.stats);
  }

  get stats(): LmcachePeerStats {
    return this.#stats;
  }

  /**
   * Opens the sockets for other engines.
   *
   * @param url Of the engine.
   * @param lend Whether a chunk is in host memory; it counts as used.
   * @param take Puts a chunk of another engine into host memory. @returns Whether there is room.
   * @returns Where other engines begin.
   * @throws {InputError} If a port cannot be listened on.
   */
  async open(
    url: string,
    lend: (key: BlockKey) => boolean,
    take: (hash: bigint) => boolean,
  ): Promise<string> {
    const { peers, report, values, outside, timeoutMs } = this.#options;
    const host = new URL(url).hostname.replace(/^\[|\]$/g, '');
    const { valueBytes } = values;
    const server = await openPeerServer({
      ...{ host, publicHost: peers.host ?? addressOf(host), valueBytes },
      ...{ initPort: peers.initPort, lookupPort: peers.lookupPort },
      lend: (name) => {
        const hash = values.hashOf(name);
        const key = hash === undefined ? undefined : report.inHostMemory(hash);
        if (key === undefined || !lend(key)) return undefined;
        const bytes = new Uint8Array(valueBytes);
        syntheticKv(name).fill(bytes, 0);
        return bytes;
      },
      take: async (initUrl, offered) => await this.#take(initUrl, offered, take),
      onLent: (chunks) => this.#lent(chunks),
    });
    const client = new PeerClient({ ownInitUrl: server.initUrl, valueBytes, timeoutMs });
    this.#client = client;
    outside.onClose(() => {
      client.close();
      void server.close();
    });
    return server.initUrl;
  }

  /**
   * Offers chunks of this engine's host memory to another one, which reads them.
   *
   * @throws {NoResponseError} If it is gone or late.
   */
  async offer(initUrl: string, hashes: readonly bigint[]): Promise<void> {
    const { values, chunkTokens } = this.#options;
    const names = hashes.map((hash) => values.keyOf(hash.toString(16)));
    await this.#client?.offer(initUrl, names, chunkTokens);
  }

  prepare(keys: readonly BlockKey[], firstNeeded: number): boolean {
    return this.#answers.prepare(keys, firstNeeded);
  }

  has(key: BlockKey): boolean {
    return this.#answers.has(key);
  }

  readSeconds(keys: readonly BlockKey[], nowSeconds: number): number {
    return this.#incoming.estimateSeconds(keys.length * this.#options.chunkBytes, nowSeconds);
  }

  read(keys: readonly BlockKey[], nowSeconds: number): number {
    this.#answers.spend(keys);
    return this.#incoming.transfer(keys.length * this.#options.chunkBytes, nowSeconds);
  }

  /** What an engine stores is in its own host memory. */
  write(): undefined {
    return undefined;
  }

  clear(): void {
    this.#answers.clear();
  }

  /** Asks the controller, and fetches the needed chunks of the engine that has most. */
  async #find(keys: readonly BlockKey[], firstNeeded: number): Promise<readonly boolean[]> {
    const { report, nameOf, values } = this.#options;
    const all = keys.map(nameOf);
    const end = all.indexOf(undefined);
    const hashes = (end === -1 ? all : all.slice(0, end)) as readonly bigint[];
    const peer = await report.peerOf(hashes);
    if (peer === undefined || this.#isPaused(peer.initUrl)) return [];
    const held = hashes.slice(0, peer.chunks).map((hash) => values.keyOf(hash.toString(16)));
    const needed = held.slice(firstNeeded);
    const right = await this.#fetch(peer.initUrl, needed);
    return held.slice(0, firstNeeded + right).map(() => true);
  }

  /** @returns How many of the chunks came, and were right. */
  async #fetch(initUrl: string, names: readonly string[]): Promise<number> {
    const { values, log } = this.#options;
    let right = 0;
    if (names.length === 0 || this.#client === undefined) return 0;
    try {
      await this.#client.fetch(initUrl, names, (bytes, index) => {
        const name = names[index] ?? '';
        if (bytes.length !== values.valueBytes || !syntheticKv(name).matches(bytes, 0)) {
          this.#stats.wrong++;
          log?.(`A chunk of the engine at ${initUrl} was wrong: ${name}. It is computed again.`);
          return false;
        }
        right = index + 1;
        return true;
      });
      this.#paused.delete(initUrl);
    } catch (error) {
      const reason = error instanceof Error ? error.message : String(error);
      if (!this.#paused.has(initUrl)) log?.(`${reason} Its chunks are computed again.`);
      this.#pause(initUrl);
    }
    this.#stats.readChunks += right;
    this.#stats.readBytes += right * values.valueBytes;
    this.#stats.failedChunks += names.length - right;
    return right;
  }

  /** Reads the chunks that another engine offers and this one lacks. @returns How many. */
  async #take(
    initUrl: string,
    offered: readonly string[],
    take: (hash: bigint) => boolean,
  ): Promise<number> {
    const { values, report } = this.#options;
    const lacking = offered.flatMap((name) => {
      const hash = values.hashOf(name);
      return hash === undefined || report.inHostMemory(hash) !== undefined ? [] : [{ name, hash }];
    });
    const right = await this.#fetch(
      initUrl,
      lacking.map(({ name }) => name),
    );
    return lacking.slice(0, right).filter(({ hash }) => take(hash)).length;
  }

  #isPaused(initUrl: string): boolean {
    return this.#options.nowMs() < (this.#paused.get(initUrl)?.untilMs ?? 0);
  }

  #pause(initUrl: string): void {
    const before = this.#paused.get(initUrl)?.forMs;
    const forMs = before === undefined ? pauseMs.first : Math.min(pauseMs.max, 2 * before);
    this.#paused.set(initUrl, { forMs, untilMs: this.#options.nowMs() + forMs });
  }

  #lent(chunks: number): void {
    const { chunkBytes, chunkTokens, outside } = this.#options;
    outside.lent(chunks * chunkTokens, this.#incoming.secondsFor(chunks * chunkBytes));
  }
}
