// Who has which chunk of KV cache, from what LMCache's servers report.
import { LruMap } from '../base/index.ts';
import { type ChunkKey, nameOfChunk } from './chunk-key.ts';

export interface Placement {
  readonly instance_id: string;
  readonly incarnation: number;
  readonly tier: 'l1' | 'l2';
  readonly backend: string;
  readonly size_bytes: number;
  readonly shared: boolean;
}

/** What a server reports at once; numbers count up for each server and start. */
export interface EventBatch {
  readonly instance_id: string;
  readonly incarnation: number;
  readonly seq: number;
  readonly event_type: 'store' | 'delete' | 'access' | 'config';
  readonly tier: 'l1' | 'l2';
  readonly backend: string;
  readonly shared: boolean;
  readonly capacity_bytes: number;
  readonly entries: readonly { readonly key: ChunkKey; readonly size_bytes: number }[];
}

/** A server that has registered. */
export interface Instance {
  readonly instance_id: string;
  readonly ip: string;
  readonly http_port: number;
  readonly metadata: Readonly<Record<string, unknown>>;
  readonly p2p_advertised_url: string;
  readonly mq_port: number;
}

interface Chunk {
  readonly key: ChunkKey;
  placements: readonly Placement[];
  accesses: number;
}

interface Reporter {
  readonly instance: Instance | undefined;
  readonly registeredSeconds: number;
  heardSeconds: number;
  incarnation: number;
  seq: number;
  /** Capacity by tier and backend. */
  readonly capacities: Map<string, { readonly batch: EventBatch; readonly bytes: number }>;
}

/** Chunks that are known; beyond it, the one that was reported longest ago is forgotten, which costs hits. */
const chunksMax = 4_000_000;
/** Models whose ranks are known, and ranks of each: world sizes and GPUs. */
const modelsMax = 256;
const ranksMax = 256;
/** Groups of objects of one chunk: LMCache separates layers of different kinds, a handful. */
const groupsMax = 8;
/** Servers; a further one replaces the one that was heard longest ago. */
const instancesMax = 4096;
/** Without a heartbeat for this long, a server is gone, with what it alone has. */
const silentSecondsMax = 30;

export class ChunkDirectory {
  readonly #chunks = new LruMap<string, Chunk>({
    entriesMax: chunksMax,
    onEvict: (_, chunk) => this.#place(chunk, []),
  });
  /** Bytes of each tenant in each tier; a store that servers share counts once. */
  readonly #saltBytes = { l1: new Map<string, number>(), l2: new Map<string, number>() };
  /** The ranks under which each model has chunks. */
  readonly #ranks = new LruMap<string, Set<number>>({ entriesMax: modelsMax });
  readonly #reporters = new LruMap<string, Reporter>({ entriesMax: instancesMax });

  /** @returns Whether it was registered before. */
  register(instance: Instance, nowSeconds: number): boolean {
    const known = this.#reporters.get(instance.instance_id);
    this.#reporters.set(instance.instance_id, {
      ...(known ?? { incarnation: -1, seq: -1, capacities: new Map() }),
      ...{ instance, registeredSeconds: nowSeconds, heardSeconds: nowSeconds },
    });
    return known?.instance !== undefined;
  }

  /** @returns False if there is no such server: it has to register again. */
  heard(instanceId: string, nowSeconds: number): boolean {
    const reporter = this.#reporters.get(instanceId);
    if (reporter?.instance === undefined) return false;
    reporter.heardSeconds = nowSeconds;
    return true;
  }

  /** Forgets a server and what it alone has. @returns Whether there was one. */
  remove(instanceId: string): boolean {
    const isThere = this.#reporters.delete(instanceId);
    if (isThere) this.#void(instanceId);
    return isThere;
  }

  /** Forgets servers without a heartbeat. */
  expire(nowSeconds: number): void {
    for (const [id, { heardSeconds }] of [...this.#reporters.entries()]) {
      if (nowSeconds - heardSeconds > silentSecondsMax) this.remove(id);
    }
  }

  /** Applies reports, in their order. */
  apply(batches: readonly EventBatch[], nowSeconds: number) {
    const counts = { applied: 0, duplicates: 0, stale: 0 };
    for (const batch of batches) counts[this.#apply(batch, nowSeconds)]++;
    return counts;
  }

  find(key: ChunkKey) {
    const chunk = this.#chunks.peek(nameOfChunk(key));
    return { key, placements: chunk?.placements ?? [], accesses: chunk?.accesses ?? 0 };
  }

  /** A server that has registered. */
  instance(instanceId: string): Instance | undefined {
    return this.#reporters.peek(instanceId)?.instance;
  }

  /** The server that registered last. */
  anyInstance(): Instance | undefined {
    return this.instances.at(-1)?.instance;
  }

  /** The key, and the same in the other groups of objects that servers have reported. */
  inAllGroups(key: ChunkKey): ChunkKey[] {
    const groups = Array.from({ length: groupsMax }, (_, object_group_id) => object_group_id);
    return groups
      .map((object_group_id) => ({ ...key, object_group_id }))
      .filter((one) => one.object_group_id === key.object_group_id || this.#has(one));
  }

  /** The ranks under which a model has chunks. */
  ranksOf(model: string): ReadonlySet<number> {
    return this.#ranks.peek(model) ?? new Set();
  }

  /** Whether any server has reported a chunk. */
  get isEmpty(): boolean {
    return this.#chunks.size === 0;
  }

  /** Bytes of each tenant in a tier. */
  bytesBySalt(tier: 'l1' | 'l2'): ReadonlyMap<string, number> {
    return this.#saltBytes[tier];
  }

  /**
   * The chunks of a tenant in the shared store, least recently reported first.
   *
   * @param bytes At least so many, if there are.
   * @param limit At most so many chunks.
   */
  oldestInStore(
    salt: string,
    bytes: number,
    limit: number,
    isWanted: (key: ChunkKey) => boolean,
  ): ChunkKey[] {
    const found: ChunkKey[] = [];
    let left = bytes;
    for (const [, { key, placements }] of this.#chunks.entries()) {
      if (left <= 0 || found.length >= limit) break;
      const size = key.cache_salt === salt ? bytesIn(placements, 'l2') : 0;
      if (size === 0 || !isWanted(key)) continue;
      found.push(key);
      left -= size;
    }
    return found;
  }

  /** Chunks that are placed, and all placements. */
  get stats() {
    const tiers = { l1: { count: 0, bytes: 0 }, l2: { count: 0, bytes: 0 } };
    const l1ByInstance: Record<string, number> = {};
    let [keys, all] = [0, 0];
    for (const [, { placements }] of this.#chunks.entries()) {
      if (placements.length > 0) keys++;
      all += placements.length;
      for (const { tier, size_bytes: bytes, instance_id: id } of placements) {
        tiers[tier].count++;
        tiers[tier].bytes += bytes;
        if (tier === 'l1') l1ByInstance[id] = (l1ByInstance[id] ?? 0) + 1;
      }
    }
    return { keys, placements: all, l1ByInstance, ...tiers };
  }

  /** Placed chunks, at most `limit`. */
  keys(limit: number): Chunk[] {
    const found: Chunk[] = [];
    for (const [, chunk] of this.#chunks.entries()) {
      if (found.length >= limit) break;
      if (chunk.placements.length > 0) found.push(chunk);
    }
    return found;
  }

  /** What a server has, by tier and backend, and how much it may have. */
  usage(instanceId: string) {
    const modules = new Map<string, { placement: Placement; bytes: number }>();
    for (const [, { placements }] of this.#chunks.entries()) {
      for (const placement of placements) {
        if (placement.instance_id !== instanceId) continue;
        const name = `${placement.tier} ${placement.backend}`;
        const module = modules.get(name) ?? { placement, bytes: 0 };
        module.bytes += placement.size_bytes;
        modules.set(name, module);
      }
    }
    const capacities = this.#reporters.get(instanceId)?.capacities ?? new Map<string, never>();
    const names = [...new Set([...capacities.keys(), ...modules.keys()])].sort();
    return names.map((name) => {
      const { tier, backend, shared } = modules.get(name)?.placement ??
        capacities.get(name)?.batch ?? { tier: 'l1', backend: '', shared: false };
      const usedBytes = modules.get(name)?.bytes ?? 0;
      return { tier, backend, shared, usedBytes, capacityBytes: capacities.get(name)?.bytes ?? 0 };
    });
  }

  /** Servers that have registered, and when. */
  get instances(): readonly { readonly instance: Instance; readonly registeredSeconds: number }[] {
    return [...this.#reporters.entries()].flatMap(([, { instance, registeredSeconds }]) =>
      instance === undefined ? [] : [{ instance, registeredSeconds }],
    );
  }

  #apply(batch: EventBatch, nowSeconds: number): 'applied' | 'duplicates' | 'stale' {
    const { instance_id: id, incarnation, seq } = batch;
    const known = this.#reporters.get(id);
    const reporter: Reporter = known ?? {
      ...{ instance: undefined, registeredSeconds: nowSeconds, heardSeconds: nowSeconds },
      ...{ incarnation, seq: -1, capacities: new Map() },
    };
    if (known === undefined) this.#reporters.set(id, reporter);
    if (incarnation < reporter.incarnation) return 'stale';
    if (incarnation > reporter.incarnation) {
      // It has started again, and has nothing of before.
      if (reporter.incarnation >= 0) this.#void(id);
      reporter.incarnation = incarnation;
      reporter.seq = -1;
    }
    if (seq <= reporter.seq) return 'duplicates';
    reporter.seq = seq;
    reporter.heardSeconds = nowSeconds;
    if (batch.event_type === 'config') {
      reporter.capacities.set(`${batch.tier} ${batch.backend}`, {
        ...{ batch, bytes: batch.capacity_bytes },
      });
    }
    for (const entry of batch.entries) this.#applyEntry(batch, entry);
    return 'applied';
  }

  #applyEntry(
    batch: EventBatch,
    { key, size_bytes }: { readonly key: ChunkKey; readonly size_bytes: number },
  ): void {
    const { instance_id, incarnation, tier, backend, shared, event_type: type } = batch;
    const name = nameOfChunk(key);
    const known = this.#chunks.get(name);
    if (known === undefined && type !== 'store') return;
    const chunk = known ?? { key, placements: [], accesses: 0 };
    if (type === 'access') chunk.accesses++;
    if (type === 'store' || type === 'delete') {
      const others = chunk.placements.filter(
        (one) => one.instance_id !== instance_id || one.tier !== tier || one.backend !== backend,
      );
      const placement = { instance_id, incarnation, tier, backend, size_bytes, shared };
      this.#place(chunk, type === 'store' ? [...others, placement] : others);
    }
    if (type === 'store') this.#noteRank(key);
    if (chunk.placements.length === 0) this.#chunks.delete(name);
    else this.#chunks.set(name, chunk);
  }

  #has(key: ChunkKey): boolean {
    return this.#chunks.has(nameOfChunk(key));
  }

  #place(chunk: Chunk, placements: readonly Placement[]): void {
    const { cache_salt: salt } = chunk.key;
    for (const tier of ['l1', 'l2'] as const) {
      const more = bytesIn(placements, tier) - bytesIn(chunk.placements, tier);
      if (more === 0) continue;
      const all = this.#saltBytes[tier];
      const bytes = (all.get(salt) ?? 0) + more;
      if (bytes === 0) all.delete(salt);
      else all.set(salt, bytes);
    }
    chunk.placements = placements;
  }

  #noteRank({ model_name, kv_rank }: ChunkKey): void {
    const ranks = this.#ranks.get(model_name) ?? new Set();
    if (ranks.size < ranksMax) ranks.add(kv_rank);
    this.#ranks.set(model_name, ranks);
  }

  /** What a store that servers share has stays there when one of them leaves. */
  #void(instanceId: string): void {
    for (const [name, chunk] of [...this.#chunks.entries()]) {
      const left = chunk.placements.filter(
        ({ instance_id: id, shared }) => id !== instanceId || shared,
      );
      if (left.length === chunk.placements.length) continue;
      this.#place(chunk, left);
      if (left.length === 0) this.#chunks.delete(name);
    }
  }
}

function bytesIn(placements: readonly Placement[], tier: 'l1' | 'l2'): number {
  let bytes = 0;
  const shared = new Set<string>();
  for (const placement of placements) {
    if (placement.tier !== tier) continue;
    if (placement.shared && shared.has(placement.backend)) continue;
    if (placement.shared) shared.add(placement.backend);
    bytes += placement.size_bytes;
  }
  return bytes;
}
