// What an engine's LMCache tells its controller: the chunks in host memory, on disk and in the cache server. LMCache itself says
// nothing of the last.
import { networkInterfaces } from 'node:os';
import { LruMap } from '../../../core/base/index.ts';
import type { BlockKey } from '../../../core/engine/index.ts';
import type { PeerMatch } from '../../../core/lmcache/index.ts';
import { LmcacheReporter } from '../../../io/lmcache-worker/index.ts';
import type { ChunkNames } from './chunk-names.ts';
import type { LmcacheController } from './lmcache-settings.ts';

/** LMCache's names of its tiers. */
export type Location = 'LocalCPUBackend' | 'LocalDiskBackend' | 'RemoteBackend';

/** Chunks of one tier that are reported, 67 million tokens; the oldest beyond counts as evicted. */
const chunksMax = 262_144;

export class ControllerReport {
  readonly #controller: LmcacheController;
  readonly #names: ChunkNames;
  readonly #log: ((line: string) => void) | undefined;
  readonly #held = new Map<Location, LruMap<BlockKey, bigint>>();
  /** Chunks in host memory, by name. */
  readonly #lendable = new Map<bigint, BlockKey>();
  #reporter: LmcacheReporter | undefined;

  constructor(
    controller: LmcacheController,
    names: ChunkNames,
    log: ((line: string) => void) | undefined,
  ) {
    this.#controller = controller;
    this.#names = names;
    this.#log = log;
  }

  /**
   * Begins to report.
   *
   * @param url Of the engine: an instance without a name of its own is called like its host and port.
   * @param at Where it takes orders, and where other engines begin to fetch chunks; undefined if they cannot.
   * @throws {InputError} If the controller's address is malformed.
   */
  start(
    url: string,
    at: { readonly port: number; readonly peerInitUrl: string | undefined },
  ): void {
    const { host, hostname } = new URL(url);
    const { instanceId = host, workerPort: _, ...addresses } = this.#controller;
    this.#reporter = new LmcacheReporter({
      ...{ ...addresses, instanceId, workerId: 0, ip: addressOf(hostname) },
      ...at,
      log: this.#log,
    });
  }

  /** Chunks without a name are not reported: their KV is an adapter's, or a salt's. */
  stored(location: Location, keys: readonly BlockKey[]): void {
    for (const key of keys) {
      const hash = this.#names.of(key);
      if (hash === undefined) continue;
      const held = this.#heldIn(location);
      const isKnown = held.peek(key) === hash;
      held.set(key, hash);
      if (isKnown) continue;
      if (location === 'LocalCPUBackend') this.#lendable.set(BigInt.asUintN(64, hash), key);
      this.#reporter?.admit(location, hash);
    }
  }

  removed(location: Location, keys: readonly BlockKey[]): void {
    const held = this.#heldIn(location);
    for (const key of keys) {
      const hash = held.peek(key);
      if (hash === undefined) continue;
      held.delete(key);
      if (location === 'LocalCPUBackend') this.#lendable.delete(BigInt.asUintN(64, hash));
      this.#reporter?.evict(location, hash);
    }
  }

  /** A chunk of host memory has another key; for the controller, it is the same. */
  renamed(key: BlockKey, to: BlockKey): void {
    const held = this.#heldIn('LocalCPUBackend');
    const hash = held.peek(key);
    if (hash === undefined) return;
    held.delete(key);
    held.set(to, hash);
    this.#lendable.set(BigInt.asUintN(64, hash), to);
  }

  /** Host memory and disk were emptied, or one of them; the cache server keeps what it has. */
  emptied(locations: readonly Location[] = ['LocalCPUBackend', 'LocalDiskBackend']): void {
    for (const location of locations) {
      const keys = Array.from(this.#heldIn(location).entries(), ([key]) => key);
      this.removed(location, keys);
    }
  }

  /** The chunk of a name, if it is in host memory. */
  inHostMemory(name: bigint): BlockKey | undefined {
    return this.#lendable.get(BigInt.asUintN(64, name));
  }

  /** Asks the controller which engine has the beginning of a prompt in host memory. */
  async peerOf(names: readonly bigint[]): Promise<PeerMatch | undefined> {
    return await this.#reporter?.lookup(names);
  }

  close(): void {
    void this.#reporter?.close();
  }

  #heldIn(location: Location): LruMap<BlockKey, bigint> {
    let held = this.#held.get(location);
    if (held === undefined) {
      const onEvict = (_: BlockKey, hash: bigint) => {
        if (location === 'LocalCPUBackend') this.#lendable.delete(BigInt.asUintN(64, hash));
        this.#reporter?.evict(location, hash);
      };
      held = new LruMap({ entriesMax: chunksMax, onEvict });
      this.#held.set(location, held);
    }
    return held;
  }
}

/** The address of this machine as others see it, if the engine listens on all of them. */
export function addressOf(hostname: string): string {
  const host = hostname.replace(/^\[|\]$/g, '');
  if (host !== '0.0.0.0' && host !== '::') return host;
  const all = Object.values(networkInterfaces()).flatMap((addresses = []) => addresses);
  return all.find(({ family, internal }) => family === 'IPv4' && !internal)?.address ?? '127.0.0.1';
}
