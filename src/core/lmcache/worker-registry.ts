// The workers of LMCache in engines, and the chunks that each has, according to their own messages.
import { LruMap } from '../base/index.ts';
import type { KeyOperation, WorkerMessage } from './controller-messages.ts';

/** A worker: LMCache in one process of an engine. */
export interface Worker {
  readonly instanceId: string;
  readonly workerId: number;
  readonly ip: string;
  /** Port of its REP socket, for orders. */
  readonly port: number;
  /** Where other engines fetch chunks from it; undefined without P2P. */
  readonly peerInitUrl: string | undefined;
  readonly registeredSeconds: number;
  readonly heardSeconds: number;
  readonly keyCount: number;
}

/** One that has a chunk. */
export interface Holder {
  readonly worker: Pick<Worker, 'instanceId' | 'peerInitUrl'>;
  /** LMCache's name of the tier, e.g. LocalCPUBackend. */
  readonly location: string;
}

/** The chunks of one worker in one of its tiers. */
interface Shelf extends Holder {
  readonly worker: MutableWorker;
  readonly keys: Set<bigint>;
  /** Of its next operation; undefined if any may be next. */
  sequence: number | undefined;
  sync: Sync | undefined;
}

interface Sync {
  readonly id: string;
  readonly batchCount: number;
  readonly startedSeconds: number;
  readonly received: Set<number>;
}

interface MutableWorker extends Omit<Worker, 'heardSeconds' | 'keyCount'> {
  heardSeconds: number;
  isSyncDue: boolean;
  /** Whether it was there before this registry, so that its operations do not count from 0. */
  readonly isOlder: boolean;
  readonly shelves: Map<string, Shelf>;
}

/** How much of a prompt an instance has: its leading chunks in one location. */
export interface Match {
  readonly instanceId: string;
  readonly location: string;
  readonly chunks: number;
  readonly peerInitUrl: string | undefined;
}

/** Workers; a further one replaces the one that was heard longest ago. */
const workersMax = 4096;
/** Tiers of one worker; LMCache has a handful. */
const shelvesMax = 16;
/** Batches of one full sync, 2,000 keys each by default. */
const batchesMax = 65_536;
/** A worker does not cache while it waits for the end of its sync; after this long, it may go on. */
const freezeSecondsMax = 30;

export interface WorkerRegistryOptions {
  /** Chunks over all workers; further ones are not known, which costs hits. @default 4,000,000 */
  readonly chunksMax?: number | undefined;
  /** Without a message for this long, a worker is gone, with its chunks. @default never */
  readonly silentSecondsMax?: number | undefined;
}

export class WorkerRegistry {
  readonly #workers = new LruMap<string, MutableWorker>({ entriesMax: workersMax });
  readonly #holders = new Map<bigint, readonly Shelf[]>();
  readonly #chunksMax: number;
  readonly #silentSecondsMax: number;
  #chunks = 0;
  readonly #counts = { overflows: 0, gaps: 0 };

  constructor({ chunksMax, silentSecondsMax }: WorkerRegistryOptions = {}) {
    this.#chunksMax = chunksMax ?? 4_000_000;
    this.#silentSecondsMax = silentSecondsMax ?? Number.POSITIVE_INFINITY;
  }

  /** A worker starts: whatever it had before is gone. */
  register(message: WorkerMessage, nowSeconds: number): void {
    this.#add(message, nowSeconds, false);
  }

  /** @returns Whether the worker has to send all its keys: it is new here, or some of its messages were lost. */
  heartbeat(message: WorkerMessage, nowSeconds: number): boolean {
    const known = this.#workers.get(nameOf(message));
    const isSame = known !== undefined && known.ip === message.ip && known.port === message.port;
    const worker = isSame ? known : this.#add(message, nowSeconds, true);
    worker.heardSeconds = nowSeconds;
    const isDue = worker.isSyncDue;
    worker.isSyncDue = false;
    return isDue;
  }

  deregister(message: WorkerMessage): void {
    this.#remove(nameOf(message));
  }

  /** Forgets workers that are silent. */
  expire(nowSeconds: number): void {
    for (const [name, { heardSeconds }] of [...this.#workers.entries()]) {
      if (nowSeconds - heardSeconds > this.#silentSecondsMax) this.#remove(name);
    }
  }

  /** Applies admissions and evictions, in their order. Those of an unknown worker are dropped: its heartbeat makes it known. */
  operate(message: WorkerMessage, nowSeconds: number): void {
    const shelf = this.#shelfOf(message, nowSeconds);
    if (shelf === undefined) return;
    for (const operation of message.operations) this.#operate(shelf, operation);
  }

  /** @returns Why the sync cannot begin; undefined if it has begun. */
  startSync(message: WorkerMessage, nowSeconds: number): string | undefined {
    if (message.batchCount > batchesMax) return `A sync has at most ${batchesMax} batches.`;
    const shelf = this.#shelfOf(message, nowSeconds);
    if (shelf === undefined) return `Worker ${nameOf(message)} is not registered.`;
    this.#clear(shelf);
    shelf.sequence = undefined;
    shelf.sync = {
      ...{ id: message.syncId, batchCount: message.batchCount, startedSeconds: nowSeconds },
      received: new Set(),
    };
    return undefined;
  }

  /** Takes a batch of keys of a sync; one of another sync is dropped. */
  syncBatch(message: WorkerMessage, nowSeconds: number): void {
    const shelf = this.#shelfOf(message, nowSeconds);
    const { sync } = shelf ?? {};
    if (shelf === undefined || sync?.id !== message.syncId) return;
    if (message.batchId >= sync.batchCount) return;
    sync.received.add(message.batchId);
    for (const key of message.keys) this.#admit(shelf, BigInt.asUintN(64, key));
  }

  /** How far the sync of a worker is, and which batches it should send again. */
  syncStatus({ syncId, ...message }: WorkerMessage, nowSeconds: number) {
    const worker = this.#workers.get(nameOf(message));
    const shelves = [...(worker?.shelves.values() ?? [])];
    const sync = shelves.find((one) => one.sync?.id === syncId)?.sync;
    // After a restart of the controller, the sync is unknown and will not end. The next heartbeat begins another.
    const missing = sync === undefined ? [] : missingOf(sync);
    const isOver =
      sync === undefined ||
      missing.length === 0 ||
      nowSeconds - sync.startedSeconds > freezeSecondsMax;
    return {
      isComplete: sync !== undefined && missing.length === 0,
      canExitFreeze: isOver,
      missing,
    };
  }

  /** Share of the batches of all syncs that have arrived, in [0, 1]. */
  get syncProgress(): number {
    let [received, expected] = [0, 0];
    for (const [, { shelves }] of this.#workers.entries()) {
      for (const { sync } of shelves.values()) {
        received += sync?.received.size ?? 0;
        expected += sync?.batchCount ?? 0;
      }
    }
    return expected === 0 ? 1 : received / expected;
  }

  /**
   * Finds who has the beginning of a prompt.
   *
   * @param hashes Of its chunks, in order.
   * @returns One match per instance, the longest first.
   */
  match(hashes: readonly bigint[]): readonly Match[] {
    return this.#match(hashes, () => true);
  }

  /**
   * Finds an engine from which another one can fetch the beginning of a prompt: LMCache gives peers what is in host memory.
   *
   * @param except The instance that asks.
   * @returns The one that has most.
   */
  peerOf(hashes: readonly bigint[], except: string): Match | undefined {
    const [best] = this.#match(
      hashes,
      ({ worker: { instanceId, peerInitUrl }, location }) =>
        location === 'LocalCPUBackend' && peerInitUrl !== undefined && instanceId !== except,
    );
    return best;
  }

  #match(hashes: readonly bigint[], counted: (shelf: Shelf) => boolean): readonly Match[] {
    const counts = new Map<Shelf, number>();
    for (const [index, hash] of hashes.entries()) {
      let found = 0;
      for (const shelf of this.#holders.get(BigInt.asUintN(64, hash)) ?? []) {
        if ((counts.get(shelf) ?? 0) !== index || !counted(shelf)) continue;
        counts.set(shelf, index + 1);
        found++;
      }
      if (found === 0) break;
    }
    const best = new Map<string, Match>();
    for (const [{ worker, location }, chunks] of counts) {
      const { instanceId, peerInitUrl } = worker;
      if (chunks <= (best.get(instanceId)?.chunks ?? 0)) continue;
      best.set(instanceId, { instanceId, location, chunks, peerInitUrl });
    }
    return [...best.values()].sort((a, b) => b.chunks - a.chunks);
  }

  /** Which instances have a chunk, and where; one with several workers may come several times. */
  holdersOf(hash: bigint): readonly Holder[] {
    return this.#holders.get(BigInt.asUintN(64, hash)) ?? [];
  }

  /** Workers, by instance and then by rank. */
  get workers(): readonly Worker[] {
    const all = [...this.#workers.entries()].map(([, { shelves, isSyncDue: _, ...worker }]) => ({
      ...worker,
      keyCount: [...shelves.values()].reduce((sum, { keys }) => sum + keys.size, 0),
    }));
    return all.sort((a, b) =>
      a.instanceId < b.instanceId ? -1 : a.instanceId > b.instanceId ? 1 : a.workerId - b.workerId,
    );
  }

  /** The workers, in no order. */
  get instances(): Iterable<Pick<Worker, 'instanceId' | 'ip' | 'peerInitUrl'>> {
    return [...this.#workers.entries()].map(([, worker]) => worker);
  }

  /** Chunks, counted once per holder; those that there was no room for; messages that were lost. */
  get stats() {
    return { chunks: this.#chunks, ...this.#counts };
  }

  #add(message: WorkerMessage, nowSeconds: number, isOlder: boolean): MutableWorker {
    const { instanceId, workerId, ip, port, peerInitUrl } = message;
    const name = nameOf(message);
    this.#remove(name);
    if (this.#workers.size >= workersMax) this.#removeLongestSilent();
    const worker: MutableWorker = {
      ...{ instanceId, workerId, ip, port, peerInitUrl, isOlder },
      ...{ registeredSeconds: nowSeconds, heardSeconds: nowSeconds, shelves: new Map() },
      isSyncDue: isOlder,
    };
    this.#workers.set(name, worker);
    return worker;
  }

  #removeLongestSilent(): void {
    let [longest, since] = ['', Number.POSITIVE_INFINITY];
    for (const [name, { heardSeconds }] of this.#workers.entries()) {
      if (heardSeconds < since) [longest, since] = [name, heardSeconds];
    }
    this.#remove(longest);
  }

  #remove(name: string): void {
    for (const shelf of this.#workers.get(name)?.shelves.values() ?? []) this.#clear(shelf);
    this.#workers.delete(name);
  }

  #shelfOf(message: WorkerMessage, nowSeconds: number): Shelf | undefined {
    const worker = this.#workers.get(nameOf(message));
    if (worker === undefined) return undefined;
    worker.heardSeconds = nowSeconds;
    const { location } = message;
    const known = worker.shelves.get(location);
    if (known !== undefined) return known;
    if (worker.shelves.size >= shelvesMax) return undefined;
    const shelf: Shelf = {
      ...{ worker, location, keys: new Set(), sync: undefined },
      sequence: worker.isOlder ? undefined : 0,
    };
    worker.shelves.set(location, shelf);
    return shelf;
  }

  #operate(shelf: Shelf, { isAdmission, key, sequence }: KeyOperation): void {
    // Numbers count from 0 per location. After a gap, the worker sends all its keys.
    if (shelf.sequence !== undefined && sequence !== shelf.sequence) {
      this.#counts.gaps++;
      shelf.worker.isSyncDue = true;
    }
    shelf.sequence = sequence + 1;
    const unsigned = BigInt.asUintN(64, key);
    if (isAdmission) this.#admit(shelf, unsigned);
    else this.#evict(shelf, unsigned);
  }

  #admit(shelf: Shelf, key: bigint): void {
    if (shelf.keys.has(key)) return;
    if (this.#chunks >= this.#chunksMax) {
      this.#counts.overflows++;
      return;
    }
    shelf.keys.add(key);
    this.#chunks++;
    this.#holders.set(key, [...(this.#holders.get(key) ?? []), shelf]);
  }

  #evict(shelf: Shelf, key: bigint): void {
    if (!shelf.keys.delete(key)) return;
    this.#chunks--;
    const others = (this.#holders.get(key) ?? []).filter((one) => one !== shelf);
    if (others.length === 0) this.#holders.delete(key);
    else this.#holders.set(key, others);
  }

  #clear(shelf: Shelf): void {
    for (const key of [...shelf.keys]) this.#evict(shelf, key);
  }
}

/** At most 1,000 at once: the worker asks again. */
function missingOf({ received, batchCount }: Sync): number[] {
  const missing: number[] = [];
  for (let batch = 0; batch < batchCount && missing.length < 1000; batch++) {
    if (!received.has(batch)) missing.push(batch);
  }
  return missing;
}

function nameOf({ instanceId, workerId }: { instanceId: string; workerId: number }): string {
  return `${instanceId} ${workerId}`;
}
