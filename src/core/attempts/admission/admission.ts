// Admission: which requests wait in the router while all engines are saturated, in which order they are
// admitted, and which are rejected.
import type { Clock, Random } from '../../base/index.ts';
import type { RejectionStatus } from '../attempt-effects.ts';
import { AdmissionQueue, type QueuedRequest, type QueuePlace } from './admission-queue.ts';
import { DrainRate } from './drain-rate.ts';

/**
 * Why a request is rejected. `full`: the queue has its maximum length. `displaced`: it had, and a request that
 * comes before this one took its place. `late`: this one would wait longer than it may. `timeout`: it has.
 * `no-engine`: it has, and no engine of its model came.
 */
export type RejectionReason = 'full' | 'displaced' | 'late' | 'timeout' | 'no-engine';

export const rejectionReasons: readonly RejectionReason[] = [
  'full',
  'displaced',
  'late',
  'timeout',
  'no-engine',
];

export interface Rejection {
  readonly reason: RejectionReason;
  readonly status: RejectionStatus;
  /** Time after which the client may try again. */
  readonly retryAfterSeconds: number;
}

/** A request that asks for admission. */
export interface AdmissionRequest extends QueuedRequest {
  readonly model: string | undefined;
  /**
   * How long the client waits for the response; Infinity if that is unknown. A request that would wait longer is
   * rejected when it arrives; one that has is ended by its own deadline.
   */
  readonly patienceSeconds: number;
  /** It may be sent. Called in the turn of `enter`, or later. */
  admitted(waitedSeconds: number): void;
  /** It will not be sent. Called in the turn of `enter`, or later. */
  rejected(rejection: Rejection, waitedSeconds: number): void;
}

/** What users set. */
export interface AdmissionLimits {
  /** Maximum wait of a request while all engines are saturated; 0: it does not wait. */
  readonly queueTimeoutSeconds: number;
  /** Maximum wait of a request while no engine serves its model; 0: it does not wait. @default 0 */
  readonly holdTimeoutSeconds?: number | undefined;
  /** Maximum number of waiting requests of a model. */
  readonly queuedRequestsMax: number;
}

export interface AdmissionOptions extends AdmissionLimits {
  readonly clock: Clock;
  /** Spreads the times at which rejected clients try again. */
  readonly random: Random;
  /** Whether an engine of the model would start one more request soon; true if the model has no engine. */
  hasRoom(model: string | undefined): boolean;
  /** Whether the model has no engine, and may have one again. */
  mayReturn(model: string | undefined): boolean;
}

export type AdmissionPlace = QueuePlace<AdmissionRequest>;

/** A queue, for views. */
export interface AdmissionLaneState {
  readonly model: string | undefined;
  readonly requests: number;
  readonly byPriority: readonly { readonly priority: number; readonly requests: number }[];
  readonly owners: number;
  /** Time that the request which has waited longest has waited. */
  readonly oldestSeconds: number;
  /** Undefined before the first admission. */
  readonly admittedPerSecond: number | undefined;
}

/** The queue of a model; exists only while a request waits. */
interface Lane {
  readonly model: string | undefined;
  readonly queue: AdmissionQueue<AdmissionRequest>;
  readonly drain: DrainRate;
  /** Maximum wait: longer where the queue began without an engine, also once there is one, which may be busy. */
  readonly timeoutSeconds: number;
}

/**
 * 429 rather than 503: load balancers take 503 for a broken router and eject it, which moves its load to the
 * others (Envoy's outlier detection, nginx's `proxy_next_upstream`).
 */
const rejectionStatus = 429;
/** OpenAI's clients ignore a `Retry-After` of more than a minute. */
const retryAfterSecondsMax = 60;
/** Output tokens of a request, which are unknown: about the mean of the Azure and Mooncake traces. */
const outputTokensExpected = 256;

/** The share of the engines' work that a request is taken to need, in tokens. */
export function admissionCost(promptTokens: number): number {
  return promptTokens + outputTokensExpected;
}

/**
 * Requests wait here only while every engine of their model is saturated, or while it has none and they may be held.
 * Models do not wait for each other.
 * Past `queuedRequestsMax`, the queue rejects; see `AdmissionQueue.lastToServe`.
 *
 * @example
 * const admission = new Admission({ queueTimeoutSeconds: 5, queuedRequestsMax: 1000, clock, random, hasRoom, mayReturn });
 * const place = admission.enter(request); // request.admitted(0), request.rejected(…), or a place
 * admission.release(); // an engine has room: request.admitted(1.2)
 */
export class Admission {
  readonly #options: AdmissionOptions;
  readonly #lanes = new Map<string | undefined, Lane>();

  constructor(options: AdmissionOptions) {
    this.#options = options;
  }

  /** Whether any request waits. */
  get isStanding(): boolean {
    return this.#lanes.size > 0;
  }

  /** Number of waiting requests. */
  get queued(): number {
    let queued = 0;
    for (const { queue } of this.#lanes.values()) queued += queue.size;
    return queued;
  }

  /** Whether a request for the model is admitted at once: nobody waits, and an engine has room. */
  isOpen(model: string | undefined): boolean {
    return !this.#lanes.has(model) && this.#hasRoom(model);
  }

  /** @returns Its place; undefined if it was admitted or rejected at once. */
  enter(request: AdmissionRequest): AdmissionPlace | undefined {
    const { model } = request;
    if (this.isOpen(model)) {
      request.admitted(0);
      return undefined;
    }
    const { clock, queuedRequestsMax } = this.#options;
    const nowSeconds = clock.nowSeconds();
    const lane = this.#lanes.get(model);
    if (lane !== undefined) {
      const rate = lane.drain.perSecond(nowSeconds);
      const waitSecondsMax = Math.min(lane.timeoutSeconds, request.patienceSeconds);
      if (rate !== undefined && lane.queue.ahead(request) / rate > waitSecondsMax) {
        request.rejected(this.#rejection('late', lane, nowSeconds), 0);
        return undefined;
      }
      if (lane.queue.size >= queuedRequestsMax) {
        const last = lane.queue.lastToServe(request);
        if (last === undefined) {
          request.rejected(this.#rejection('full', lane, nowSeconds), 0);
          return undefined;
        }
        this.#reject(lane, last, 'displaced', nowSeconds);
      }
    }
    return this.#laneOf(model, nowSeconds).queue.add(request, nowSeconds);
  }

  /** The request no longer waits: its client has left, or the router stops. */
  leave(place: AdmissionPlace): void {
    const lane = this.#lanes.get(place.request.model);
    if (lane?.queue.remove(place)) this.#closeIfEmpty(lane);
  }

  /** Admits requests while engines have room. Call it after a request has started or ended at an engine. */
  release(): void {
    const { clock } = this.#options;
    for (const lane of this.#lanes.values()) {
      while (lane.queue.size > 0 && this.#hasRoom(lane.model)) {
        const nowSeconds = clock.nowSeconds();
        const place = lane.queue.take() as AdmissionPlace;
        lane.drain.admitted(nowSeconds);
        place.request.admitted(nowSeconds - place.sinceSeconds);
      }
      this.#closeIfEmpty(lane);
    }
  }

  /** Rejects requests that have waited too long, then admits others. Call it a few times per second. */
  tick(): void {
    const { clock, mayReturn } = this.#options;
    const nowSeconds = clock.nowSeconds();
    for (const lane of this.#lanes.values()) {
      for (const place of lane.queue) {
        if (nowSeconds - place.sinceSeconds >= lane.timeoutSeconds) {
          const reason = mayReturn(lane.model) ? 'no-engine' : 'timeout';
          this.#reject(lane, place, reason, nowSeconds);
        }
      }
    }
    this.release();
  }

  /** The queues, for views. */
  state(): AdmissionLaneState[] {
    const nowSeconds = this.#options.clock.nowSeconds();
    return Array.from(this.#lanes.values(), ({ model, queue, drain }) => {
      const [oldest] = queue;
      return {
        model,
        requests: queue.size,
        byPriority: queue.byPriority(),
        owners: queue.owners,
        oldestSeconds: oldest === undefined ? 0 : nowSeconds - oldest.sinceSeconds,
        admittedPerSecond: drain.perSecond(nowSeconds),
      };
    });
  }

  #hasRoom(model: string | undefined): boolean {
    const { hasRoom, mayReturn, holdTimeoutSeconds = 0 } = this.#options;
    return hasRoom(model) && !(holdTimeoutSeconds > 0 && mayReturn(model));
  }

  #reject(lane: Lane, place: AdmissionPlace, reason: RejectionReason, nowSeconds: number): void {
    const rejection = this.#rejection(reason, lane, nowSeconds);
    lane.queue.remove(place);
    place.request.rejected(rejection, nowSeconds - place.sinceSeconds);
  }

  /** A client may try again when about half of the queue is gone, each at a time of its own. */
  #rejection(reason: RejectionReason, lane: Lane, nowSeconds: number): Rejection {
    const rate = lane.drain.perSecond(nowSeconds);
    const halfSeconds = rate === undefined ? 1 : lane.queue.size / 2 / rate;
    const seconds = Math.ceil(halfSeconds * (1 + this.#options.random.next()));
    return {
      reason,
      status: reason === 'no-engine' ? 503 : rejectionStatus,
      retryAfterSeconds: Math.max(1, Math.min(retryAfterSecondsMax, seconds)),
    };
  }

  #laneOf(model: string | undefined, nowSeconds: number): Lane {
    let lane = this.#lanes.get(model);
    if (lane === undefined) {
      const { queueTimeoutSeconds, holdTimeoutSeconds = 0, mayReturn } = this.#options;
      const timeoutSeconds = mayReturn(model)
        ? Math.max(queueTimeoutSeconds, holdTimeoutSeconds)
        : queueTimeoutSeconds;
      const drain = new DrainRate(nowSeconds);
      lane = { model, queue: new AdmissionQueue(), drain, timeoutSeconds };
      this.#lanes.set(model, lane);
    }
    return lane;
  }

  #closeIfEmpty(lane: Lane): void {
    if (lane.queue.size > 0 || this.#lanes.get(lane.model) !== lane) return;
    this.#lanes.delete(lane.model);
  }
}
