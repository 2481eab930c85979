// The last report of an engine. An idle engine says the same again and again: its first such report is kept, so that nothing
// reaches V8's old generation, whose collections took a tenth of the time of a router with a thousand idle engines.
import { type EngineReport, isSameReport } from '../../../core/protocol/index.ts';
import type { ReportedLoad } from '../../../core/routing/index.ts';

export class LastReport {
  #report: EngineReport | undefined = undefined;
  #load: (ReportedLoad & { atSeconds: number }) | undefined = undefined;

  /** Undefined before the first one. */
  get report(): EngineReport | undefined {
    return this.#report;
  }

  /**
   * @param atSeconds When it was read.
   * @returns What it tells the policy; undefined if that is nothing.
   */
  take(read: EngineReport, atSeconds: number): ReportedLoad | undefined {
    if (this.#report === undefined || !isSameReport(read, this.#report)) {
      this.#report = read;
      this.#load = loadOf(read, atSeconds);
    }
    if (this.#load !== undefined) this.#load.atSeconds = atSeconds;
    return this.#load;
  }
}

function loadOf(report: EngineReport, atSeconds: number): ReportedLoad | undefined {
  const { running, waiting, kvUsage, blocksTotal, blockTokens, startedAtSeconds } = report;
  const { prefixCacheHits, lowerTierHits, lowerTierQueries } = report;
  if (running === undefined && waiting === undefined && kvUsage === undefined) return undefined;
  return {
    atSeconds,
    running: running ?? 0,
    waiting: waiting ?? 0,
    kvUsage: kvUsage ?? 0,
    blocksTotal,
    blockTokens,
    prefixCacheHits,
    lowerTierHits,
    lowerTierQueries,
    startedAtSeconds,
  };
}
