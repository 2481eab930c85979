// Adds a point to the history every few seconds.
import type { RoutingCore } from '../../../core/routing/index.ts';
import type { Engine } from '../fleet/engine.ts';
import {
  type EnginePoint,
  type FleetHistory,
  type FleetPoint,
  historyIntervalSeconds,
} from './fleet-history.ts';
import type { RouterMetrics } from './router-metrics.ts';

export interface FleetSamplerOptions {
  readonly core: RoutingCore;
  readonly engines: ReadonlyMap<string, Engine>;
  readonly metrics: RouterMetrics;
  readonly history: FleetHistory;
  /** Monotonic clock. */
  readonly nowSeconds: () => number;
  /** Wall clock: Unix time. */
  readonly unixSeconds: () => number;
}

interface Counts {
  readonly atSeconds: number;
  readonly arrived: number;
  readonly clientErrors: number;
  readonly serverErrors: number;
  /** Requests sent, by engine URL. */
  readonly sent: ReadonlyMap<string, number>;
}

export class FleetSampler {
  readonly #options: FleetSamplerOptions;
  #before: Counts;
  #timer: NodeJS.Timeout | undefined;

  constructor(options: FleetSamplerOptions) {
    this.#options = options;
    this.#before = this.#counts();
  }

  start(): void {
    this.#timer = setInterval(() => this.sample(), historyIntervalSeconds * 1000).unref();
  }

  stop(): void {
    clearInterval(this.#timer);
  }

  /** Adds one point. */
  sample(): void {
    const { history, unixSeconds } = this.#options;
    const counts = this.#counts();
    const seconds = counts.atSeconds - this.#before.atSeconds;
    if (seconds <= 0) return;
    const points = this.#enginePoints(counts, seconds);
    history.push(unixSeconds(), this.#fleetPoint(counts, seconds, points), points);
    this.#before = counts;
  }

  #counts(): Counts {
    const { core, metrics, nowSeconds } = this.#options;
    return {
      atSeconds: nowSeconds(),
      arrived: metrics.arrived,
      clientErrors: metrics.clientErrors,
      serverErrors: metrics.serverErrors,
      sent: new Map(Array.from(core.liveView(), ({ url, totals }) => [url, totals.requests])),
    };
  }

  #enginePoints(
    counts: Counts,
    seconds: number,
  ): ReadonlyMap<string, { readonly name: string; readonly point: EnginePoint }> {
    const { core, engines, metrics } = this.#options;
    return new Map(
      Array.from(core.liveView(), ({ url, state, totals }) => {
        const engine = engines.get(url);
        const isCurrent = state !== 'dead' && state !== 'starting';
        const report = isCurrent ? engine?.report : undefined;
        const rates = isCurrent ? engine?.rates : undefined;
        const sent = totals.requests - (this.#before.sent.get(url) ?? 0);
        const point: EnginePoint = {
          requestsPerSecond: sent / seconds,
          generationTokensPerSecond: rates?.generationTokensPerSecond ?? null,
          hitRate: rates?.hitRate ?? null,
          running: report?.running ?? null,
          waiting: report?.waiting ?? null,
          kvUsage: report?.kvUsage ?? null,
          ttftP90: metrics.windows.engine(url, counts.atSeconds).ttft?.p90 ?? null,
        };
        return [url, { name: engine?.name ?? url, point }];
      }),
    );
  }

  #fleetPoint(
    counts: Counts,
    seconds: number,
    engines: ReadonlyMap<string, { readonly point: EnginePoint }>,
  ): FleetPoint {
    const { core, metrics } = this.#options;
    const points = Array.from(engines.values(), ({ point }) => point);
    const known = (name: keyof EnginePoint): number[] =>
      points.flatMap((point) => point[name] ?? []);
    const total = (values: readonly number[]) => values.reduce((sum, value) => sum + value, 0);
    const sum = (values: readonly number[]) => (values.length === 0 ? null : total(values));
    const usage = known('kvUsage');
    const { ttft, tpot, e2e } = metrics.windows.recent(counts.atSeconds);
    const before = this.#before;
    return {
      requestsPerSecond: (counts.arrived - before.arrived) / seconds,
      clientErrorsPerSecond: (counts.clientErrors - before.clientErrors) / seconds,
      serverErrorsPerSecond: (counts.serverErrors - before.serverErrors) / seconds,
      inflight: total(Array.from(core.liveView(), ({ ownLoad }) => ownLoad.inflight)),
      running: sum(known('running')),
      waiting: sum(known('waiting')),
      generationTokensPerSecond: sum(known('generationTokensPerSecond')),
      kvUsageMean: usage.length === 0 ? null : total(usage) / usage.length,
      kvUsageMax: usage.length === 0 ? null : Math.max(...usage),
      ttftP50: ttft?.p50 ?? null,
      ttftP90: ttft?.p90 ?? null,
      ttftP99: ttft?.p99 ?? null,
      tpotP50: tpot?.p50 ?? null,
      tpotP90: tpot?.p90 ?? null,
      tpotP99: tpot?.p99 ?? null,
      e2eP50: e2e?.p50 ?? null,
      e2eP90: e2e?.p90 ?? null,
      e2eP99: e2e?.p99 ?? null,
    };
  }
}
