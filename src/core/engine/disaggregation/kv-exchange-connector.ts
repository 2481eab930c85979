// One engine's side of a KV exchange: the scheduler's half of vLLM's NIXL connector, `kv_both`.
import type { FinishReason } from '../request.ts';
import type {
  KvConnector,
  TieredSequence,
  TierHit,
  TierStats,
  TransferStats,
} from '../tiers/contract.ts';

const noHit: TierHit = { tokens: 0, isAsync: false, source: 'external_unspecified' };
const none: TransferStats = { transfers: 0, bytes: 0, seconds: 0 };

/** What an engine's side asks of the exchange and tells it; see `KvExchange`. */
export interface KvExchangeSide {
  isReady(id: string): boolean;
  read(engine: number, sequence: TieredSequence, localTokens: number, nowSeconds: number): void;
  computed(engine: number, sequence: TieredSequence, reason: FinishReason): boolean;
  ended(engine: number, id: string): void;
}

/**
 * A request whose prompt is ready on another engine waits, holding its blocks, for the part that its
 * engine's own cache lacks, while others run. A request that was computed here for another engine keeps
 * its blocks after its end. Each prompt is read once: a request that is preempted later computes it
 * again.
 */
export class KvExchangeConnector implements KvConnector {
  readonly #exchange: KvExchangeSide;
  readonly #engine: number;
  /** Requests whose prompt was read, failed to be read, or is no longer needed by its reader. */
  #done: TieredSequence[] = [];
  readonly #failed = new Set<TieredSequence>();
  #sent = none;
  #received = none;

  constructor(exchange: KvExchangeSide, engine: number) {
    this.#exchange = exchange;
    this.#engine = engine;
  }

  /** The exchange has a separate clock, and returns the engines with work to do. */
  get nextSeconds(): number {
    return Number.POSITIVE_INFINITY;
  }

  get stats(): TierStats {
    return {
      ...{ loads: this.#received, stores: this.#sent },
      ...{ allocationFailures: 0, storesSkipped: 0, tiers: [] },
    };
  }

  lookup({ request }: TieredSequence, localTokens: number): TierHit {
    if (!this.#exchange.isReady(request.id)) return noHit;
    return { tokens: request.promptTokens - localTokens, isAsync: true, source: 'p2p' };
  }

  load(sequence: TieredSequence, localTokens: number, hit: TierHit, nowSeconds: number): void {
    if (hit.tokens > 0) this.#exchange.read(this.#engine, sequence, localTokens, nowSeconds);
  }

  planned(): number {
    return 0;
  }

  advance(): readonly TieredSequence[] {
    const done = this.#done;
    if (done.length > 0) this.#done = [];
    return done;
  }

  hasFailed(sequence: TieredSequence): boolean {
    return this.#failed.delete(sequence);
  }

  keepsBlocks(sequence: TieredSequence, reason: FinishReason): boolean {
    return this.#exchange.computed(this.#engine, sequence, reason);
  }

  finished({ request }: TieredSequence): void {
    this.#exchange.ended(this.#engine, request.id);
  }

  /** Prompts computed on other engines are not forgotten here. */
  reset(): boolean {
    return true;
  }

  /** Called by the exchange: another engine has read blocks from here. */
  sent(bytes: number, seconds: number): void {
    this.#sent = counted(this.#sent, bytes, seconds);
  }

  /** Called by the exchange: blocks that were kept are free. */
  released(sequence: TieredSequence): void {
    this.#done.push(sequence);
  }

  /** Called by the exchange: the prompt that the request reads has arrived. */
  received(sequence: TieredSequence, bytes: number, seconds: number): void {
    this.#received = counted(this.#received, bytes, seconds);
    this.#done.push(sequence);
  }

  /** Called by the exchange: the engine that the request reads from has failed. */
  loadFailed(sequence: TieredSequence): void {
    this.#failed.add(sequence);
    this.#done.push(sequence);
  }
}

function counted(stats: TransferStats, bytes: number, seconds: number): TransferStats {
  return {
    transfers: stats.transfers + 1,
    bytes: stats.bytes + bytes,
    seconds: stats.seconds + seconds,
  };
}
