// What LMCache in engines' processes reported to the controller, by the chunks of a prompt.
import {
  controllerChunkTokens,
  inProcessChunkHashes,
  noneHash,
  type WorkerRegistry,
} from '../../../core/lmcache/index.ts';
import type { CacheTier, Endpoint, RoutingRequest, TierRun } from '../../../core/routing/index.ts';
import { enginesOfInstances, HostAddresses, type NamedEngine } from './engine-hosts.ts';
import { type ChunkPlace, runsOf, type TierSource } from './tier-source.ts';

/** LMCache's names of its tiers. It reports the first two itself; `RemoteBackend` is what embedded engines report. */
const tierOfLocation: Readonly<Record<string, CacheTier>> = {
  ...{ LocalCPUBackend: 'host', LocalDiskBackend: 'disk', RemoteBackend: 'store' },
};
/** How long a mapping of instances to engines holds. */
const mappingSeconds = 1;

export interface ControllerSourceOptions {
  readonly registry: WorkerRegistry;
  /** Engines of the fleet. */
  readonly engines: () => Iterable<NamedEngine>;
  /** PYTHONHASHSEED of the engines. */
  readonly hashSeed: number;
  readonly nowSeconds: () => number;
  readonly addresses?: { of(host: string): string | undefined } | undefined;
}

export class ControllerSource implements TierSource {
  readonly #options: ControllerSourceOptions;
  readonly #addresses: { of(host: string): string | undefined };
  readonly #root: bigint;
  #urls: ReadonlyMap<string, string> = new Map();
  #mappedSeconds = Number.NEGATIVE_INFINITY;
  /** Of the last prompt: a pick that is repeated on another engine needs the same. */
  #last: { readonly tokens: ArrayLike<number>; readonly hashes: readonly bigint[] } | undefined;

  constructor(options: ControllerSourceOptions) {
    this.#options = options;
    this.#addresses = options.addresses ?? new HostAddresses();
    this.#root = noneHash(options.hashSeed);
  }

  get isLive(): boolean {
    return this.#options.registry.stats.chunks > 0;
  }

  /** URL of the engine of each instance. */
  get urls(): ReadonlyMap<string, string> {
    const { registry, engines, nowSeconds } = this.#options;
    const now = nowSeconds();
    if (now - this.#mappedSeconds >= mappingSeconds) {
      this.#mappedSeconds = now;
      this.#urls = enginesOfInstances(registry.instances, engines(), this.#addresses);
    }
    return this.#urls;
  }

  match(request: RoutingRequest, endpoints: readonly Endpoint[]): readonly (readonly TierRun[])[] {
    const { tokens } = request;
    if (tokens === undefined) return endpoints.map(() => []);
    const positions = new Map(endpoints.map(({ url }, i) => [url, i]));
    const engineOf = new Map<string, number>();
    for (const [instance, url] of this.urls) {
      const position = positions.get(url);
      if (position !== undefined) engineOf.set(instance, position);
    }
    const members = new Set(engineOf.values());
    const readers = this.#peerReaders(engineOf);
    const hashes = this.#hashesOf(tokens);
    const takesPart = endpoints.map((_, i) => members.has(i));
    return runsOf(hashes.length, controllerChunkTokens, takesPart, (chunk) =>
      this.#placesOf(hashes[chunk] as bigint, engineOf, readers),
    );
  }

  /** Engines that read out of the host memory of others. */
  #peerReaders(engineOf: ReadonlyMap<string, number>): readonly number[] {
    const readers: number[] = [];
    for (const { instanceId, peerInitUrl } of this.#options.registry.instances) {
      const engine = peerInitUrl === undefined ? undefined : engineOf.get(instanceId);
      if (engine !== undefined) readers.push(engine);
    }
    return readers;
  }

  *#placesOf(
    hash: bigint,
    engineOf: ReadonlyMap<string, number>,
    readers: readonly number[],
  ): Iterable<ChunkPlace> {
    let isLent = false;
    for (const { worker, location } of this.#options.registry.holdersOf(hash)) {
      const tier = tierOfLocation[location];
      const engine = engineOf.get(worker.instanceId);
      // Hashes do not name the model, so only candidates, which serve the same one, can vouch for the store.
      if (tier === undefined || engine === undefined) continue;
      yield { engine: tier === 'store' ? undefined : engine, tier };
      // The holder itself has it in a faster tier.
      if (isLent || tier !== 'host' || worker.peerInitUrl === undefined) continue;
      isLent = true;
      for (const reader of readers) yield { engine: reader, tier: 'peer' };
    }
  }

  #hashesOf(tokens: ArrayLike<number>): readonly bigint[] {
    if (this.#last?.tokens !== tokens) {
      this.#last = { tokens, hashes: inProcessChunkHashes(tokens, this.#root) };
    }
    return this.#last.hashes;
  }
}
