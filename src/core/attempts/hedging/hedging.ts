// Hedged requests: one whose first byte is late is sent to a second engine, and the first to respond wins.
import type { Clock } from '../../base/index.ts';
import type { EngineAttempt } from '../attempt-effects.ts';
import { HedgeBudget } from './hedge-budget.ts';
import type { ExpectedFirstByte, HedgeDelays } from './hedge-delays.ts';

/** Interval at which a driver checks which first bytes are late. */
export const hedgeTickSeconds = 0.05;

/** A request that can be sent to a second engine. */
export interface HedgedRequest {
  /** Its first byte is late. @returns Whether it was sent to a second engine; if not, none is idle. */
  hedge(): boolean;
}

export interface HedgingOptions {
  /** Hedges per request, in [0, 1]. */
  readonly budgetShare: number;
  readonly delays: HedgeDelays;
  readonly clock: Clock;
  /** Should stand still while the process is paused, so that a pause is no engine's delay. @default `clock` */
  readonly ticks?: Clock | undefined;
}

/**
 * The hedges of a router. The driver calls `check` every `hedgeTickSeconds`: one timer for all requests, and nothing
 * per token.
 *
 * Holds the requests that wait for their first byte, as many as the router has admitted.
 */
export class Hedging {
  readonly budget: HedgeBudget;
  readonly #delays: HedgeDelays;
  readonly #clock: Clock;
  readonly #ticks: Clock;
  /** In the order in which they are asked about. */
  readonly #waiting = new Set<FirstByteWait>();
  /** Models without an idle engine, during a check. */
  readonly #busyModels = new Set<string | undefined>();

  constructor(options: HedgingOptions) {
    this.budget = new HedgeBudget(options.budgetShare);
    this.#delays = options.delays;
    this.#clock = options.clock;
    this.#ticks = options.ticks ?? options.clock;
  }

  /** Number of requests that wait for their first byte and may be hedged. */
  get waiting(): number {
    return this.#waiting.size;
  }

  /** The request is being sent. @param mayHedge Whether it may be sent to a second engine. */
  begin(
    request: HedgedRequest,
    model: string | undefined,
    attempt: EngineAttempt,
    mayHedge: boolean,
  ): FirstByteWait {
    const { predictedSeconds, prefillTokens } = attempt;
    const expected = { model, predictedSeconds, prefillTokens };
    const sentSeconds = this.#clock.nowSeconds();
    const late = mayHedge ? this.#delays.delaySeconds(expected, sentSeconds) : undefined;
    // The tick that counts may be nearly over.
    const dueSeconds =
      this.#ticks.nowSeconds() + hedgeTickSeconds + (late ?? Number.POSITIVE_INFINITY);
    const wait = new FirstByteWait(this, request, expected, { sentSeconds, dueSeconds });
    if (late !== undefined) this.#waiting.add(wait);
    return wait;
  }

  /** @param isObserved Whether the first byte has come, or would have come later than now. */
  end(wait: FirstByteWait, isObserved: boolean): void {
    this.#waiting.delete(wait);
    if (!isObserved) return;
    const nowSeconds = this.#clock.nowSeconds();
    this.#delays.observe(wait.expected, nowSeconds - wait.sentSeconds, nowSeconds);
  }

  /** Sends the requests whose first byte is late to a second engine, as far as engines and budget allow. */
  check(): void {
    const nowSeconds = this.#ticks.nowSeconds();
    for (const wait of this.#waiting) {
      if (nowSeconds < wait.dueSeconds) continue;
      if (!this.budget.hasBalance) break;
      const { model } = wait.expected;
      if (this.#busyModels.has(model)) continue;
      this.#waiting.delete(wait);
      if (wait.request.hedge()) {
        this.budget.withdraw();
        continue;
      }
      this.#busyModels.add(model);
      // To the end: the next check asks about another one first.
      this.#waiting.add(wait);
    }
    this.#busyModels.clear();
  }
}

/** The wait of one attempt for its first byte. */
export class FirstByteWait {
  readonly request: HedgedRequest;
  readonly expected: ExpectedFirstByte;
  readonly sentSeconds: number;
  /** From when on it is late. */
  readonly dueSeconds: number;
  readonly #hedging: Hedging;

  constructor(
    hedging: Hedging,
    request: HedgedRequest,
    expected: ExpectedFirstByte,
    times: { readonly sentSeconds: number; readonly dueSeconds: number },
  ) {
    this.#hedging = hedging;
    this.request = request;
    this.expected = expected;
    this.sentSeconds = times.sentSeconds;
    this.dueSeconds = times.dueSeconds;
  }

  /** The first byte has arrived; or that of the hedge has, and this one would have come later. */
  observed(): void {
    this.#hedging.end(this, true);
  }

  /** The attempt has ended without a first byte. */
  dropped(): void {
    this.#hedging.end(this, false);
  }
}
