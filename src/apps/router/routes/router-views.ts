// The router's own views on /engines, /debug/router, /debug/picks, /debug/requests, /dashboard/events,
// /dashboard/history and /dashboard/plan.
import { version } from '../../../core/base/index.ts';
import type { RoutingCore } from '../../../core/routing/index.ts';
import type {
  EngineView,
  HistoryView,
  PickView,
  PlannedView,
  PlanView,
  RequestView,
  RouterView,
} from '../../../core/views/index.ts';
import { addressOf } from '../../../io/endpoints/index.ts';
import type { KvIndexFeed } from '../../../io/kv-events/index.ts';
import type { Engine } from '../fleet/engine.ts';
import type { SharedAttempts } from '../fleet/shared-attempts.ts';
import type { FleetHistory } from '../metrics/fleet-history.ts';
import { latencyWindowSeconds } from '../metrics/latency-windows.ts';
import type { RouterMetrics } from '../metrics/router-metrics.ts';
import type { RouterAdmission } from '../requests/router-admission.ts';
import { engineViews } from './engine-views.ts';
import { PlanStatus } from './plan-status.ts';

/** Maximum number of models with latencies in a view, the busiest ones. */
const modelsMax = 50;
/** Maximum number of engines whose series one response contains, 20 KB each. */
const historyEnginesPerRequestMax = 32;

export interface RouterViewsOptions {
  readonly core: RoutingCore;
  readonly engines: ReadonlyMap<string, Engine>;
  readonly metrics: RouterMetrics;
  readonly history: FleetHistory;
  readonly feed: KvIndexFeed;
  readonly shared: SharedAttempts | undefined;
  /** Undefined if requests do not wait in the router. */
  readonly admission: RouterAdmission | undefined;
  /** Undefined if the router was given no plan. */
  readonly planned?: PlannedView | undefined;
  /** Highest P99 that passes the gate. @default 0.92 */
  readonly gateMax?: number | undefined;
  readonly nowSeconds: () => number;
  readonly unixSeconds: () => number;
}

export class RouterViews {
  readonly #options: RouterViewsOptions;
  readonly #startedAtSeconds: number;
  readonly #planStatus: PlanStatus;

  constructor(options: RouterViewsOptions) {
    this.#options = options;
    this.#startedAtSeconds = options.nowSeconds();
    const { planned, gateMax, unixSeconds } = options;
    this.#planStatus = new PlanStatus({
      ...{ planned, gateMax, unixSeconds },
      kvUsage: () => options.history.kvUsage(),
      engines: () => this.engines(),
      requests: () => this.requests(),
    });
  }

  engines(): EngineView[] {
    const { core, engines, nowSeconds, feed, metrics } = this.#options;
    const { windows } = metrics;
    return engineViews(core, engines, { nowSeconds: nowSeconds(), feed, windows });
  }

  router(): RouterView {
    const { core, metrics, shared, admission, nowSeconds } = this.#options;
    const now = nowSeconds();
    const engines = this.engines();
    return {
      policy: core.policy.name,
      version,
      uptimeSeconds: now - this.#startedAtSeconds,
      requests: metrics.arrived,
      errors: metrics.failed,
      clientErrors: metrics.clientErrors,
      serverErrors: metrics.serverErrors,
      requestsPerSecond: metrics.rate.perSecond(now),
      inflight: engines.reduce((sum, { ownLoad }) => sum + ownLoad.inflight, 0),
      queue: admission?.view() ?? null,
      latencies: {
        windowSeconds: latencyWindowSeconds,
        all: metrics.windows.all(now),
        models: metrics.windows.models(now).slice(0, modelsMax),
      },
      routers: shared?.view ?? null,
      engines,
    };
  }

  plan(): PlanView {
    return this.#planStatus.view();
  }

  picks(): PickView[] {
    return this.#options.core.recentPicks().map(({ model = null, scores = null, ...pick }) => {
      return { ...pick, engine: this.#nameOf(pick.url), model, scores };
    });
  }

  requests(): RequestView[] {
    return this.#options.metrics.recent.views((url) => this.#nameOf(url));
  }

  /**
   * @param query `engine`: URL of an engine whose series are wanted; repeatable. `since`: Unix time; only
   *   later points are returned.
   */
  history(query: URLSearchParams): HistoryView {
    const since = Number(query.get('since'));
    return this.#options.history.view({
      urls: query.getAll('engine').slice(0, historyEnginesPerRequestMax),
      sinceSeconds: Number.isFinite(since) ? since : 0,
    });
  }

  #nameOf(url: string): string {
    return this.#options.engines.get(url)?.name ?? addressOf(url);
  }
}
