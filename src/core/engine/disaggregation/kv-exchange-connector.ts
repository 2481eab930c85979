// One engine's part in an exchange of KV: the scheduler's half of vLLM's NIXL connector, `kv_both`.
import type { FinishReason } from '../contract.ts';
import type {
  KvConnector,
  TieredSequence,
  TierHit,
  TierStats,
  TransferStats,
} from '../tiers/contract.ts';
import type { KvExchange } from './kv-exchange.ts';

const noHit: TierHit = { tokens: 0, isAsync: false, source: 'external_unspecified' };
const none: TransferStats = { transfers: 0, bytes: 0, seconds: 0 };

/**
 * A request whose prompt is ready elsewhere waits, with its blocks, for what its engine's own cache
 * lacks; others run. One that was computed here for another engine keeps its blocks after its end.
 * Each prompt is read once: a request that is preempted later computes it anew.
 */
export class KvExchangeConnector implements KvConnector {
  readonly #exchange: KvExchange;
  readonly #engine: number;
  /** Read, failed to be read, or not needed any more by its reader. */
  #done: TieredSequence[] = [];
  readonly #failed = new Set<TieredSequence>();
  #sent = none;
  #received = none;

  constructor(exchange: KvExchange, engine: number) {
    this.#exchange = exchange;
    this.#engine = engine;
  }

  /** The exchange has a clock of its own, and says whom it wakes. */
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

  /** What others compute is not its own to forget. */
  reset(): boolean {
    return true;
  }

  /** The exchange: another engine has read from here. */
  sent(bytes: number, seconds: number): void {
    this.#sent = counted(this.#sent, bytes, seconds);
  }

  /** The exchange: blocks that were kept are free. */
  released(sequence: TieredSequence): void {
    this.#done.push(sequence);
  }

  /** The exchange: what the request reads is here. */
  received(sequence: TieredSequence, bytes: number, seconds: number): void {
    this.#received = counted(this.#received, bytes, seconds);
    this.#done.push(sequence);
  }

  /** The exchange: the engine that the request reads from is gone. */
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
