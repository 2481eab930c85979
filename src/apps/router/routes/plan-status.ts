// What /dashboard/plan says: the plan beside what the router measures, and the gate over the last hour.
import { type EngineSeries, gateMaxDefault, judge } from '../../../core/gate/index.ts';
import {
  currentReport,
  type EngineView,
  type GateView,
  type MeasuredView,
  type PlannedView,
  type PlanView,
  type RequestView,
} from '../../../core/views/index.ts';
import { historyIntervalSeconds, historySeconds } from '../metrics/fleet-history.ts';

/** Engines in the view, the fullest ones. */
const enginesMax = 8;
/** Judging hundreds of engines takes milliseconds, and their history gets a point every five seconds. */
const gateRefreshSeconds = historyIntervalSeconds;

export interface PlanStatusOptions {
  /** Undefined if there is no plan. */
  readonly planned: PlannedView | undefined;
  /** Highest P99 that passes. @default 0.92 */
  readonly gateMax: number | undefined;
  /** KV cache utilization of each engine. */
  readonly kvUsage: () => readonly EngineSeries[];
  readonly engines: () => readonly EngineView[];
  readonly requests: () => readonly RequestView[];
  readonly unixSeconds: () => number;
}

export class PlanStatus {
  readonly #options: PlanStatusOptions;
  readonly #max: number;
  #gate: GateView | undefined = undefined;
  #judgedAtSeconds = Number.NEGATIVE_INFINITY;

  constructor(options: PlanStatusOptions) {
    this.#options = options;
    this.#max = options.gateMax ?? gateMaxDefault;
  }

  view(): PlanView {
    const { planned = null, engines, requests } = this.#options;
    const gate = this.#currentGate();
    const streamed = requests().filter(
      ({ outcome, status, ttftSeconds }) =>
        outcome === 'completed' && status === 200 && ttftSeconds !== null,
    );
    const measured = { ...latenciesOf(streamed), ...fleetOf(engines()) };
    return {
      planned,
      measured: { ...measured, kvUsageP99: gate.engines[0]?.p99 ?? null },
      measuredRequests: streamed.length,
      gate,
    };
  }

  #currentGate(): GateView {
    const now = this.#options.unixSeconds();
    if (this.#gate === undefined || now - this.#judgedAtSeconds >= gateRefreshSeconds) {
      this.#gate = this.#judge(now);
      this.#judgedAtSeconds = now;
    }
    return this.#gate;
  }

  #judge(now: number): GateView {
    const window = { start: now - historySeconds, end: now };
    const { verdict, because, engines } = judge(this.#options.kvUsage(), {
      ...{ window, intervalSeconds: historyIntervalSeconds, max: this.#max },
    });
    const fullest = engines.toSorted((a, b) => (b.p99 ?? -1) - (a.p99 ?? -1));
    return {
      ...{ verdict, because, max: this.#max },
      windowSeconds: historySeconds,
      judged: engines.length,
      engines: fullest
        .slice(0, enginesMax)
        .map(({ name, verdict, p99 = null, coverage }) => ({ name, verdict, p99, coverage })),
    };
  }
}

/** Mean latencies of streamed responses. */
function latenciesOf(
  streamed: readonly RequestView[],
): Pick<MeasuredView, 'ttftSeconds' | 'tpotSeconds'> {
  const tpots = streamed.flatMap(({ seconds, ttftSeconds, outputTokens }) => {
    const later = (outputTokens ?? 0) - 1;
    return later > 0 ? [(seconds - (ttftSeconds as number)) / later] : [];
  });
  return {
    ttftSeconds: mean(streamed.map(({ ttftSeconds }) => ttftSeconds as number)),
    tpotSeconds: mean(tpots),
  };
}

/** Sums over live engines: the last report of another one is stale. */
function fleetOf(
  engines: readonly EngineView[],
): Pick<MeasuredView, 'tokensPerSecond' | 'hitRate' | 'engines'> {
  const reports = engines.flatMap((engine) => currentReport(engine) ?? []);
  const queries = sum(reports.map(({ prefixCacheQueries }) => prefixCacheQueries ?? 0));
  const hits = sum(reports.map(({ prefixCacheHits }) => prefixCacheHits ?? 0));
  const live = engines.filter(({ state }) => state === 'live');
  const rates = live.flatMap(({ rates }) => rates?.generationTokensPerSecond ?? []);
  return {
    tokensPerSecond: rates.length > 0 ? sum(rates) : null,
    hitRate: queries > 0 ? hits / queries : null,
    engines: live.length,
  };
}

function sum(values: readonly number[]): number {
  return values.reduce((total, value) => total + value, 0);
}

function mean(values: readonly number[]): number | null {
  return values.length > 0 ? sum(values) / values.length : null;
}
