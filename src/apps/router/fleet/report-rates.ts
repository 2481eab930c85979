// Rates of an engine from the counters of its last reports.
import type { EngineReport } from '../../../core/protocol/index.ts';

/** Window of the rates, long enough that single requests do not cause spikes. */
const windowSeconds = 10;
/** Reports are at least a second apart; more would not fit into the window. */
const reportsMax = 16;

type Counters = Pick<
  EngineReport,
  'promptTokens' | 'generationTokens' | 'prefixCacheQueries' | 'prefixCacheHits' | 'lowerTierHits'
>;

export interface ReportRates {
  readonly promptTokensPerSecond: number;
  readonly generationTokensPerSecond: number;
  /** Share of prompt tokens found in the prefix cache; null if none were looked up. */
  readonly hitRate: number | null;
  /** Prompt tokens found in HBM, and in tiers below it. */
  readonly hbmHitTokensPerSecond: number;
  readonly lowerTierTokensPerSecond: number;
}

export class ReportRateMeter {
  /** Moments and counters of the last reports. Side by side, so that a report that is known already takes no memory. */
  readonly #atSeconds: number[] = [];
  readonly #counters: Counters[] = [];

  add(counters: Counters, atSeconds: number): void {
    // The newest report before the window stays: rates need two reports, however far apart.
    const from = this.#atSeconds.findLastIndex((then) => atSeconds - then >= windowSeconds);
    const isFull = this.#atSeconds.length - Math.max(0, from) >= reportsMax;
    this.#drop(Math.max(0, from) + (isFull ? 1 : 0));
    this.#atSeconds.push(atSeconds);
    this.#counters.push(counters);
  }

  clear(): void {
    this.#drop(this.#atSeconds.length);
  }

  #drop(count: number): void {
    if (count === 0) return;
    this.#atSeconds.splice(0, count);
    this.#counters.splice(0, count);
  }

  /** Undefined before the second report. */
  get rates(): ReportRates | undefined {
    const before = this.#counters[0];
    const now = this.#counters.at(-1);
    const seconds = (this.#atSeconds.at(-1) ?? 0) - (this.#atSeconds[0] ?? 0);
    if (before === undefined || now === undefined || seconds <= 0) return undefined;
    const queries = growth(before.prefixCacheQueries, now.prefixCacheQueries);
    const hits = growth(before.prefixCacheHits, now.prefixCacheHits);
    return {
      promptTokensPerSecond: growth(before.promptTokens, now.promptTokens) / seconds,
      generationTokensPerSecond: growth(before.generationTokens, now.generationTokens) / seconds,
      hitRate: queries > 0 ? Math.min(1, hits / queries) : null,
      hbmHitTokensPerSecond: hits / seconds,
      lowerTierTokensPerSecond: growth(before.lowerTierHits, now.lowerTierHits) / seconds,
    };
  }
}

/** Of a counter; one that fell belongs to an engine that restarted. */
function growth(from = 0, to = 0): number {
  return to >= from ? to - from : to;
}
