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
  #reports: { readonly atSeconds: number; readonly counters: Counters }[] = [];

  add(counters: Counters, atSeconds: number): void {
    // The newest report before the window stays: rates need two reports, however far apart.
    const from = this.#reports.findLastIndex(
      (report) => atSeconds - report.atSeconds >= windowSeconds,
    );
    this.#reports = this.#reports.slice(Math.max(0, from));
    if (this.#reports.length >= reportsMax) this.#reports.shift();
    this.#reports.push({ atSeconds, counters });
  }

  clear(): void {
    this.#reports = [];
  }

  /** Undefined before the second report. */
  get rates(): ReportRates | undefined {
    const [start] = this.#reports;
    const end = this.#reports.at(-1);
    if (start === undefined || end === undefined || end.atSeconds <= start.atSeconds) {
      return undefined;
    }
    const growth = (key: keyof Counters): number => {
      const [from, to] = [start.counters[key] ?? 0, end.counters[key] ?? 0];
      // A counter that fell belongs to an engine that restarted.
      return to >= from ? to - from : to;
    };
    const seconds = end.atSeconds - start.atSeconds;
    const queries = growth('prefixCacheQueries');
    return {
      promptTokensPerSecond: growth('promptTokens') / seconds,
      generationTokensPerSecond: growth('generationTokens') / seconds,
      hitRate: queries > 0 ? Math.min(1, growth('prefixCacheHits') / queries) : null,
      hbmHitTokensPerSecond: growth('prefixCacheHits') / seconds,
      lowerTierTokensPerSecond: growth('lowerTierHits') / seconds,
    };
  }
}
