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
  readonly #reports: { readonly atSeconds: number; readonly counters: Counters }[] = [];

  add(counters: Counters, atSeconds: number): void {
    // The newest report before the window stays: rates need two reports, however far apart.
    const from = this.#reports.findLastIndex(
      (report) => atSeconds - report.atSeconds >= windowSeconds,
    );
    if (from > 0) this.#reports.splice(0, from);
    if (this.#reports.length >= reportsMax) this.#reports.shift();
    this.#reports.push({ atSeconds, counters });
  }

  clear(): void {
    this.#reports.length = 0;
  }

  /** Undefined before the second report. */
  get rates(): ReportRates | undefined {
    const start = this.#reports[0];
    const end = this.#reports.at(-1);
    if (start === undefined || end === undefined || end.atSeconds <= start.atSeconds) {
      return undefined;
    }
    const [before, now] = [start.counters, end.counters];
    const seconds = end.atSeconds - start.atSeconds;
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
