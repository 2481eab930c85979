// --log-stats: the figures that production-stack's router logs of each engine, in one line per interval.
import type { EndpointStatus, RoutingCore } from '../../../core/routing/index.ts';
import type { Logger } from '../../../io/log/index.ts';
import type { Engine } from '../fleet/engine.ts';

/** Engines in one line; the line ends with the number of further ones. */
const enginesMax = 64;
/** Models of an engine in the line. */
const modelsMax = 8;

export interface StatsLogOptions {
  readonly core: RoutingCore;
  readonly engines: ReadonlyMap<string, Engine>;
  readonly intervalSeconds: number;
  /** Monotonic clock. */
  readonly nowSeconds: () => number;
  readonly log: Logger;
}

export class StatsLog {
  readonly #options: StatsLogOptions;
  readonly #startedAtSeconds: number;
  #timer: NodeJS.Timeout | undefined;

  constructor(options: StatsLogOptions) {
    this.#options = options;
    this.#startedAtSeconds = options.nowSeconds();
  }

  start(): void {
    const { intervalSeconds, log } = this.#options;
    this.#timer = setInterval(() => log.info(this.line()), intervalSeconds * 1000).unref();
  }

  stop(): void {
    clearInterval(this.#timer);
  }

  line(): string {
    const { core, engines, nowSeconds } = this.#options;
    const all = Array.from(core.liveView());
    const parts = all
      .slice(0, enginesMax)
      .map((status) => figures(status, engines.get(status.url), nowSeconds()));
    const rest = all.length - parts.length;
    const more = rest > 0 ? [`and ${rest} more engines, on /metrics`] : [];
    const upSeconds = nowSeconds() - this.#startedAtSeconds;
    const list = parts.length === 0 ? ['no engines'] : [...parts, ...more];
    return `statistics after ${upSeconds.toFixed(0)} s: ${list.join('; ')}`;
  }
}

/** Upstream's figures, with its names; what is not known is left out. */
function figures(status: EndpointStatus, engine: Engine | undefined, nowSeconds: number): string {
  const { url, state, models, ownLoad, totals } = status;
  const shown = models.slice(0, modelsMax);
  const others = models.length > shown.length ? ` and ${models.length - shown.length} more` : '';
  const name = engine?.label ?? url;
  const report = state === 'dead' ? undefined : engine?.report;
  const { prefixCacheHits: hits = 0, prefixCacheQueries: queries = 0 } = report ?? {};
  const metrics = engine?.metrics;
  const gap = metrics?.meanTokenGapSeconds;
  const reported =
    report === undefined
      ? ['no engine metrics']
      : [
          `running ${report.running ?? 0}`,
          `queued ${report.waiting ?? 0}`,
          `cache hit rate ${(queries > 0 ? hits / queries : 0).toFixed(2)}`,
        ];
  const own = [
    `QPS ${(metrics?.rate.perSecond(nowSeconds) ?? 0).toFixed(2)}`,
    `avg latency ${(metrics?.meanLatencySeconds ?? 0).toFixed(2)} s`,
    ...(gap === undefined ? [] : [`avg ITL ${gap.toFixed(4)} s`]),
    `prefill ${ownLoad.prefilling}`,
    `decoding ${ownLoad.inflight - ownLoad.prefilling}`,
    `finished ${totals.requests - ownLoad.inflight}`,
  ];
  const serves = shown.length === 0 ? 'no models' : `${shown.join(', ')}${others}`;
  return `${name} [${serves}] ${[state, ...reported, ...own].join(', ')}`;
}
