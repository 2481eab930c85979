// What LMCache's servers reported to the coordinator, by the chunks of a prompt.
import { LruMap } from '../../../core/base/index.ts';
import {
  type ChunkDirectory,
  eachChunkHash,
  inProcessChunkHashes,
  type Placement,
} from '../../../core/lmcache/index.ts';
import type { CacheTier, Endpoint, RoutingRequest, TierRun } from '../../../core/routing/index.ts';
import { HostAddresses } from './engine-hosts.ts';
import { type ChunkPlace, runsOf, type TierSource } from './tier-source.ts';

/** As in LMCache's coordinator. */
const chunkTokens = 256;
/** Names of chunks that are kept, by a hash that is a hundred times as fast. */
const namesMax = 65_536;

export class CoordinatorSource implements TierSource {
  readonly #directory: ChunkDirectory;
  readonly #addresses: { of(host: string): string | undefined };
  readonly #names = new LruMap<bigint, string>({ entriesMax: namesMax });

  constructor(
    directory: ChunkDirectory,
    addresses: { of(host: string): string | undefined } = new HostAddresses(),
  ) {
    this.#directory = directory;
    this.#addresses = addresses;
  }

  get isLive(): boolean {
    return !this.#directory.isEmpty;
  }

  match(request: RoutingRequest, endpoints: readonly Endpoint[]): readonly (readonly TierRun[])[] {
    const { tokens, model } = request;
    const ranks = model === undefined ? [] : [...this.#directory.ranksOf(model)];
    if (tokens === undefined || model === undefined || ranks.length === 0) {
      return endpoints.map(() => []);
    }
    const positions = this.#positionsOf(endpoints);
    const members = new Set([...positions.values()].flat());
    const takesPart = endpoints.map((_, i) => members.has(i));
    const names = this.#namesOf(tokens);
    return runsOf(Math.floor(tokens.length / chunkTokens), chunkTokens, takesPart, () =>
      this.#placesOf(names.next().value ?? '', model, ranks, positions),
    );
  }

  /** The engines of each server: those on its host. */
  #positionsOf(endpoints: readonly Endpoint[]): ReadonlyMap<string, readonly number[]> {
    const addresses = endpoints.map(({ url }) => this.#addresses.of(new URL(url).hostname));
    return new Map(
      this.#directory.instances.map(({ instance: { instance_id, ip } }) => [
        instance_id,
        addresses.flatMap((address, i) => (address === ip ? [i] : [])),
      ]),
    );
  }

  *#placesOf(
    chunk_hash_hex: string,
    model_name: string,
    ranks: readonly number[],
    positions: ReadonlyMap<string, readonly number[]>,
  ): Iterable<ChunkPlace> {
    for (const kv_rank of ranks) {
      const key = { chunk_hash_hex, model_name, kv_rank, object_group_id: 0, cache_salt: '' };
      for (const placement of this.#directory.find(key).placements) {
        const tier = tierOf(placement);
        if (tier === 'store') yield { engine: undefined, tier };
        else
          for (const engine of positions.get(placement.instance_id) ?? []) yield { engine, tier };
      }
    }
  }

  /** The names of a prompt's chunks, one by one: most prompts are known nowhere, and need one only. */
  *#namesOf(tokens: ArrayLike<number>): Generator<string, undefined> {
    const quick = inProcessChunkHashes(tokens, 0n, chunkTokens);
    let hashes: Generator<string, undefined> | undefined;
    let last: string | undefined;
    for (const [chunks, hash] of quick.entries()) {
      let name = this.#names.get(hash);
      if (name === undefined) {
        const after = last === undefined ? undefined : { chunks, hash: last };
        hashes ??= eachChunkHash(tokens, chunkTokens, after);
        name = hashes.next().value ?? '';
        this.#names.set(hash, name);
      } else hashes?.next();
      last = name;
      yield name;
    }
  }
}

/** A server's own memory, a disk of its own, or what servers share. */
function tierOf({ tier, shared }: Placement): CacheTier {
  if (tier === 'l1') return 'host';
  return shared ? 'store' : 'disk';
}
