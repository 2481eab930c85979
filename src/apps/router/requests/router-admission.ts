// The admission queue of a router: when it is looked at, who a request's owner is, and its metrics.
import {
  Admission,
  type AdmissionLaneState,
  type AdmissionPlace,
  type AdmissionSettings,
  admissionCost,
  type Rejection,
  rejectionReasons,
} from '../../../core/attempts/index.ts';
import type { Clock } from '../../../core/base/index.ts';
import type { MetricsRegistry } from '../../../core/metrics/index.ts';
import type { RoutingCore, RoutingRequest } from '../../../core/routing/index.ts';
import type { QueueView } from '../../../core/views/index.ts';
import type { ServerExchange, Ticker } from '../../../io/http/index.ts';
import type { OpenAiError } from './openai-error.ts';

/** Seconds; those of vLLM's `request_queue_time_seconds` up to ten minutes. */
const waitBounds = [
  0.1, 0.3, 0.5, 0.8, 1, 1.5, 2, 2.5, 5, 10, 15, 20, 30, 40, 50, 60, 120, 240, 480,
];
/** Models with a series of their own; only models that engines serve have a queue. */
const modelSeriesMax = 1_000;
/** Maximum number of priorities in a view, the most urgent ones: clients choose them. */
const prioritiesShownMax = 16;
/** Priorities beyond this are cut to it, so that sums of them stay exact. */
const priorityMax = 1_000_000;

export interface RouterAdmissionOptions {
  readonly settings: AdmissionSettings;
  readonly core: RoutingCore;
  readonly clock: Clock;
  readonly ticker: Ticker;
  readonly registry: MetricsRegistry;
  /** Whether all clients send the same key, so that it does not tell them apart. */
  readonly hasSharedKey: boolean;
}

/** A request as `enter` needs it. */
export interface WaitingRequest {
  readonly exchange: ServerExchange;
  readonly request: RoutingRequest;
  /** Of the body; a header takes precedence. */
  readonly priority: number | undefined;
  readonly patienceSeconds: number;
  admitted(): void;
  rejected(rejection: Rejection): void;
}

export class RouterAdmission {
  /** Whether requests wait for a first engine. */
  readonly holds: boolean;
  readonly #queue: Admission;
  readonly #core: RoutingCore;
  readonly #hasSharedKey: boolean;
  readonly #waits;
  readonly #rejected;
  #rejectedTotal = 0;
  #isReleasing = false;

  constructor(options: RouterAdmissionOptions) {
    const { settings, core, clock, registry } = options;
    this.holds = settings.holdTimeout > 0;
    this.#core = core;
    this.#hasSharedKey = options.hasSharedKey;
    this.#queue = new Admission({
      queueTimeoutSeconds: settings.queueTimeout,
      holdTimeoutSeconds: settings.holdTimeout,
      queuedRequestsMax: settings.maxQueuedRequests,
      ...{ clock, random: { next: Math.random } },
      hasRoom: (model) => core.hasRoom(model),
      mayReturn: (model) => core.mayReturn(model),
    });
    options.ticker.add({ onTick: () => this.#queue.tick() });
    const queued = registry.gauge({
      name: 'spillway_router_queued_requests',
      help: 'Requests that wait in the router because all engines of their model are saturated, or it has none.',
      labels: ['model'],
      seriesMax: modelSeriesMax,
    });
    registry.onRender(() => {
      queued.table.removeMatching({});
      for (const { model = '', requests } of this.#queue.state())
        queued.with({ model }).set(requests);
    });
    this.#waits = registry
      .histogram({
        name: 'spillway_router_queue_wait_seconds',
        help: 'Time that admitted requests waited in the router, in seconds; those that did not wait are not counted.',
        labels: [],
        bounds: waitBounds,
      })
      .with({});
    const rejected = registry.counter({
      name: 'spillway_router_rejected_requests',
      help: 'Requests rejected with status 429 because the engines are overloaded, or with 503 because none came, by reason.',
      labels: ['reason'],
    });
    this.#rejected = new Map(rejectionReasons.map((reason) => [reason, rejected.with({ reason })]));
  }

  /** Whether a request is admitted without `enter`. */
  isOpen(request: RoutingRequest): boolean {
    // No other engine could take over a request for one engine, whose queue is its own matter.
    return request.pinnedUrl !== undefined || this.#queue.isOpen(this.#modelOf(request));
  }

  /** @returns Its place in the queue; undefined if it was admitted or rejected at once. */
  enter(waiting: WaitingRequest): AdmissionPlace | undefined {
    const { exchange, request } = waiting;
    return this.#queue.enter({
      model: this.#modelOf(request),
      priority: priorityOf(exchange, waiting.priority),
      owner: this.#ownerOf(exchange),
      cost: admissionCost(request.promptTokens),
      patienceSeconds: waiting.patienceSeconds,
      admitted: (waitedSeconds) => {
        if (waitedSeconds > 0) this.#waits.observe(waitedSeconds);
        waiting.admitted();
      },
      rejected: (rejection) => {
        this.#rejectedTotal += 1;
        this.#rejected.get(rejection.reason)?.inc();
        waiting.rejected(rejection);
      },
    });
  }

  /** The request no longer waits. */
  leave(place: AdmissionPlace): void {
    this.#queue.leave(place);
  }

  /** A request has started or ended at an engine. Others are admitted once the current turn is over. */
  roomMade(): void {
    if (this.#isReleasing || !this.#queue.isStanding) return;
    this.#isReleasing = true;
    setImmediate(() => {
      this.#isReleasing = false;
      this.#queue.release();
    });
  }

  state(): AdmissionLaneState[] {
    return this.#queue.state();
  }

  view(): QueueView {
    const lanes = this.#queue.state();
    const waiting = new Map<number, number>();
    for (const { priority, requests } of lanes.flatMap(({ byPriority }) => byPriority)) {
      waiting.set(priority, (waiting.get(priority) ?? 0) + requests);
    }
    return {
      waiting: lanes.reduce((sum, { requests }) => sum + requests, 0),
      oldestSeconds: lanes.reduce((most, { oldestSeconds }) => Math.max(most, oldestSeconds), 0),
      rejected: this.#rejectedTotal,
      byPriority: [...waiting]
        .sort(([a], [b]) => a - b)
        .slice(0, prioritiesShownMax)
        .map(([priority, requests]) => ({ priority, waiting: requests })),
    };
  }

  #modelOf({ model }: RoutingRequest): string | undefined {
    return this.#core.resolveModel(model);
  }

  /** The client's key, if clients have keys of their own, else its address. */
  #ownerOf(exchange: ServerExchange): string {
    const { headers } = exchange.head;
    const key = headers.get('authorization') ?? headers.get('x-api-key');
    return this.#hasSharedKey || key === undefined ? exchange.clientAddress : key;
  }
}

/** The error of a rejected request. */
export function rejectionError({ reason, status }: Rejection): OpenAiError {
  const message = {
    full: 'All engines are saturated, and the queue of the router is full.',
    displaced:
      'All engines are saturated, and a request with precedence took the place of this one.',
    late: 'All engines are saturated, and the request would wait too long.',
    timeout: 'All engines are saturated, and the request has waited too long.',
    'no-engine': 'No engine serves the model, and the request has waited too long.',
  }[reason];
  return { status, message, code: `queue_${reason.replace('-', '_')}` };
}

/** Lower is more urgent. A header, which a proxy in front can set or remove, comes before the body. */
function priorityOf(exchange: ServerExchange, ofBody: number | undefined): number {
  const header = exchange.head.headers.get('x-request-priority');
  const given = header !== undefined && /^-?\d{1,9}$/.test(header) ? Number(header) : ofBody;
  if (given === undefined || !Number.isFinite(given)) return 0;
  return Math.max(-priorityMax, Math.min(priorityMax, Math.round(given)));
}
