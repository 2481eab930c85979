// vLLM's `MultiConnector`: several connectors below one engine's KV cache.
import type { EngineRequest, FinishReason } from '../request.ts';
import type {
  KvConnector,
  TieredSequence,
  TierHit,
  TierStats,
  TierStep,
  TransferStats,
} from './contract.ts';

const nothing: TierHit = { tokens: 0, isAsync: false, source: 'external_unspecified' };

/**
 * Loads from the first connector that has tokens, however many the next ones have; stores to all. Delays
 * of a step add up over connectors: they work one after the other.
 *
 * @see vllm/distributed/kv_transfer/kv_connector/v1/multi_connector.py
 */
export class MultiConnector implements KvConnector {
  readonly #connectors: readonly KvConnector[];
  /** The connector that a request loads from, once a lookup has found something. */
  readonly #chosen = new Map<EngineRequest, KvConnector>();
  /** For each ended request, the number of connectors that still keep its blocks. */
  readonly #keepers = new Map<TieredSequence, number>();

  /** @param connectors In the order of lookups. */
  constructor(connectors: readonly KvConnector[]) {
    this.#connectors = connectors;
  }

  get nextSeconds(): number {
    return Math.min(...this.#connectors.map(({ nextSeconds }) => nextSeconds));
  }

  get stats(): TierStats {
    const all = this.#connectors.map(({ stats }) => stats);
    const sum = (of: (stats: TierStats) => number) =>
      all.reduce((total, one) => total + of(one), 0);
    return {
      loads: total(all.map(({ loads }) => loads)),
      stores: total(all.map(({ stores }) => stores)),
      allocationFailures: sum(({ allocationFailures }) => allocationFailures),
      storesSkipped: sum(({ storesSkipped }) => storesSkipped),
      tiers: all.flatMap(({ tiers }) => tiers),
    };
  }

  lookup(sequence: TieredSequence, localTokens: number, nowSeconds: number): TierHit | undefined {
    let found = nothing;
    for (const connector of this.#connectors) {
      const hit = connector.lookup(sequence, localTokens, nowSeconds);
      // Connectors behind it are not queried, as in vLLM.
      if (hit === undefined) return undefined;
      if (found.tokens > 0 || hit.tokens === 0) continue;
      found = hit;
      this.#chosen.set(sequence.request, connector);
    }
    return found;
  }

  load(sequence: TieredSequence, localTokens: number, hit: TierHit, nowSeconds: number): void {
    this.#chosen.get(sequence.request)?.load(sequence, localTokens, hit, nowSeconds);
  }

  planned(step: TierStep): number {
    let seconds = 0;
    for (const connector of this.#connectors) {
      seconds += connector.planned({ ...step, startSeconds: step.startSeconds + seconds });
    }
    return seconds;
  }

  advance(nowSeconds: number): readonly TieredSequence[] {
    const ended = this.#connectors.flatMap((connector) => connector.advance(nowSeconds));
    return this.#keepers.size === 0 ? ended : ended.filter((one) => this.#isFree(one));
  }

  hasFailed(sequence: TieredSequence): boolean {
    return this.#chosen.get(sequence.request)?.hasFailed?.(sequence) ?? false;
  }

  finished(sequence: TieredSequence): void {
    for (const connector of this.#connectors) connector.finished(sequence);
    this.#chosen.delete(sequence.request);
  }

  keepsBlocks(sequence: TieredSequence, reason: FinishReason): boolean {
    const keepers = this.#connectors.filter((one) => one.keepsBlocks?.(sequence, reason)).length;
    if (keepers > 0) this.#keepers.set(sequence, keepers);
    return keepers > 0;
  }

  reset(): boolean {
    return this.#connectors.map((connector) => connector.reset()).every((isReset) => isReset);
  }

  /** The last connector that keeps its blocks releases them. */
  #isFree(sequence: TieredSequence): boolean {
    const keepers = this.#keepers.get(sequence) ?? 1;
    if (keepers > 1) this.#keepers.set(sequence, keepers - 1);
    else this.#keepers.delete(sequence);
    return keepers === 1;
  }
}

function total(all: readonly TransferStats[]): TransferStats {
  return all.reduce((sum, { transfers, bytes, seconds }) => ({
    transfers: sum.transfers + transfers,
    bytes: sum.bytes + bytes,
    seconds: sum.seconds + seconds,
  }));
}
