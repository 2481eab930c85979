// The hedged requests of a router: which requests may be hedged, the timer that looks for late ones, and the metric.
import {
  type HedgeOutcome,
  type HedgePlan,
  type HedgeSettings,
  Hedging,
  hedgeTickSeconds,
  MeasuredHedgeDelays,
} from '../../../core/attempts/index.ts';
import type { Clock } from '../../../core/base/index.ts';
import type { RoutingCore, RoutingRequest, Ticket } from '../../../core/routing/index.ts';
import { Ticker } from '../../../io/http/index.ts';
import type { RouterMetrics } from '../metrics/router-metrics.ts';
import type { RouterAdmission } from './router-admission.ts';

/** Larger bodies take long to send, and are sent once. */
const bodyBytesMax = 1024 * 1024;
/** Requests for KV that one engine may read once. */
const kvTransferKey = '"kv_transfer_params"';

export interface RouterHedgingOptions {
  readonly settings: HedgeSettings;
  readonly core: RoutingCore;
  readonly clock: Clock;
  readonly admission: RouterAdmission | undefined;
  readonly metrics: RouterMetrics;
}

export class RouterHedging {
  readonly #options: RouterHedgingOptions;
  readonly #hedging: Hedging;
  readonly #ticker = new Ticker({ tickMs: hedgeTickSeconds * 1000 });

  constructor(options: RouterHedgingOptions) {
    const { settings, clock } = options;
    this.#options = options;
    this.#hedging = new Hedging({
      budgetShare: settings.budget / 100,
      delays: new MeasuredHedgeDelays(),
      ...{ clock, ticks: this.#ticker },
    });
    this.#ticker.add({ onTick: () => this.#hedging.check() });
  }

  /**
   * How a request may be hedged; undefined if it must not be sent to two engines at once.
   *
   * @param isRepeatable Whether its route keeps nothing on the engine.
   */
  planOf(
    { stream, pinnedUrl, model }: RoutingRequest,
    isRepeatable: boolean,
    body: Buffer,
  ): HedgePlan | undefined {
    // Without streaming, the first byte comes with the last, and a late one is no sign of a slow engine.
    if (!isRepeatable || !stream || pinnedUrl !== undefined || body.length > bodyBytesMax) {
      return undefined;
    }
    return { hedging: this.#hedging, model };
  }

  /** Picks a second engine. @returns Undefined if none is idle, or requests wait in the router. */
  pick(request: RoutingRequest, body: Buffer, tried: ReadonlySet<string>): Ticket | undefined {
    const { admission, core } = this.#options;
    if (admission?.isOpen(request) === false || body.includes(kvTransferKey)) return undefined;
    return core.routeHedge(request, tried);
  }

  /** @param url The engine whose first byte was late. */
  ended(url: string, outcome: HedgeOutcome): void {
    this.#options.metrics.hedges.with({ server: url, outcome }).inc();
  }

  /** No more hedges, as the router stops. */
  stop(): void {
    this.#ticker.stop();
  }
}
