// Shares the memory for request bodies among clients: when it is full, bodies that stalled or
// belong to the largest users are evicted, so that no client can lock the others out by holding
// bodies open.
import type { MemoryShare } from '../../core/memory/index.ts';
import { HttpSyntaxError } from './syntax-error.ts';
import type { Ticker } from './ticker.ts';

/** A connection as the budget sees it. */
export interface BodyHolder {
  /** Bytes reserved for its body; only the budget changes it. */
  reservedBytes: number;
  /** Clients with the same address share their quota. */
  readonly address: string;
  /** Tick of the last progress of a body that is still arriving; undefined if none is. */
  readonly bodySinceTick: number | undefined;
  /** Evicts the arriving body; calls `release`. */
  evictBody(): void;
}

/** A body without progress for this long is evicted when memory is needed. */
const stalledMs = 2_000;
/** Vain searches for memory per tick, each linear in the number of connections; after them, all are refused. */
const searchesMax = 16;

export interface BodyBudgetOptions {
  readonly bytesMax: number;
  /** Memory that bodies share with others. */
  readonly memory: MemoryShare;
  /** Takes memory from others. @default nothing */
  readonly makeRoom?: ((bytes: number) => void) | undefined;
  readonly ticker: Ticker;
  /** All connections. */
  readonly holders: () => Iterable<BodyHolder>;
}

export class BodyBudget {
  readonly #options: BodyBudgetOptions;
  #bytes = 0;
  /** Tick of the last vain search. */
  #fullTick = -1;
  /** Addresses for which none was found in that tick; a second search would only cost time. */
  readonly #refused = new Set<string>();

  constructor(options: BodyBudgetOptions) {
    this.#options = options;
  }

  /** Bytes reserved by all connections. */
  get bytes(): number {
    return this.#bytes;
  }

  /**
   * Counts bytes of a body that arrived.
   *
   * @throws {HttpSyntaxError} With status 503 if memory is full and no other body can be evicted.
   */
  reserve(holder: BodyHolder, bytes: number): void {
    // A request without a body, such as a probe's, needs no room.
    if (bytes === 0) return;
    if (!this.#hasRoom(bytes) && !this.#makeRoom(holder, bytes)) {
      const message = 'The requests in flight fill the memory reserved for request bodies.';
      throw new HttpSyntaxError(503, message);
    }
    this.#bytes += bytes;
    this.#options.memory.force(bytes);
    holder.reservedBytes += bytes;
  }

  #hasRoom(bytes: number): boolean {
    const { bytesMax, memory } = this.#options;
    return this.#bytes + bytes <= bytesMax && memory.hasRoom(bytes);
  }

  /** Releases the memory of a body. */
  release(holder: BodyHolder): void {
    this.#bytes -= holder.reservedBytes;
    this.#options.memory.give(holder.reservedBytes);
    holder.reservedBytes = 0;
  }

  /** @returns Whether there is enough memory now. */
  #makeRoom(asker: BodyHolder, bytes: number): boolean {
    const { ticker, holders, memory, makeRoom } = this.#options;
    if (!memory.hasRoom(bytes)) makeRoom?.(bytes);
    if (this.#hasRoom(bytes)) return true;
    if (this.#fullTick !== ticker.now) this.#refused.clear();
    if (this.#refused.has(asker.address) || this.#refused.size >= searchesMax) return false;
    const arriving: BodyHolder[] = [];
    const bytesOf = new Map<string, number>();
    for (const holder of holders()) {
      if (holder.reservedBytes === 0) continue;
      bytesOf.set(holder.address, (bytesOf.get(holder.address) ?? 0) + holder.reservedBytes);
      if (holder !== asker && holder.bodySinceTick !== undefined) arriving.push(holder);
    }
    const sinceTick = ({ bodySinceTick = ticker.now }: BodyHolder) => bodySinceTick;
    arriving.sort((a, b) => sinceTick(a) - sinceTick(b));
    const stalledBefore = ticker.now - ticker.ticks(stalledMs);
    const isFull = () => !this.#hasRoom(bytes);
    for (const holder of arriving) {
      if (!isFull() || sinceTick(holder) > stalledBefore) break;
      this.#evict(holder, bytesOf);
    }
    // Next, the bodies of addresses that hold more than the requesting address would.
    const askersBytes = (bytesOf.get(asker.address) ?? 0) + bytes;
    for (const holder of arriving) {
      if (!isFull()) break;
      if (holder.reservedBytes > 0 && (bytesOf.get(holder.address) ?? 0) > askersBytes) {
        this.#evict(holder, bytesOf);
      }
    }
    if (!isFull()) return true;
    this.#fullTick = ticker.now;
    this.#refused.add(asker.address);
    return false;
  }

  #evict(holder: BodyHolder, bytesOf: Map<string, number>): void {
    bytesOf.set(holder.address, (bytesOf.get(holder.address) ?? 0) - holder.reservedBytes);
    holder.evictBody();
  }
}
