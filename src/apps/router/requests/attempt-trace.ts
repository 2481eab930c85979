// One attempt of a traced request: a few numbers and what it was picked for.
import type { AttemptOutcome } from '../../../core/attempts/index.ts';
import type { Pick, PickCause } from '../../../core/routing/index.ts';
import { type Attributes, spanIdOf } from '../../../core/telemetry/index.ts';
import type { TracedEngine } from './shared-attributes.ts';

/** One attempt on an engine. Times are by `performance.now()`. */
export class AttemptTrace {
  /** The attempt before it. */
  readonly before: AttemptTrace | undefined;
  readonly engine: TracedEngine;
  /** Header of the request to the engine. */
  readonly traceparent: string;
  readonly sentAtMs: number;
  readonly #pick: Pick;
  readonly #cause: PickCause;
  firstByteSeconds: number | undefined = undefined;
  /** Undefined for an attempt that ended with its request. */
  endedAtMs: number | undefined = undefined;
  status: number | undefined = undefined;
  outcome: AttemptOutcome | undefined = undefined;
  why: string | undefined = undefined;

  constructor(
    before: AttemptTrace | undefined,
    engine: TracedEngine,
    pick: Pick,
    cause: PickCause,
    traceparent: string,
    sentAtMs: number,
  ) {
    this.before = before;
    this.engine = engine;
    this.traceparent = traceparent;
    this.sentAtMs = sentAtMs;
    this.#pick = pick;
    this.#cause = cause;
  }

  get spanId(): string {
    return spanIdOf(this.traceparent);
  }

  firstByte(nowMs: number): void {
    this.firstByteSeconds = (nowMs - this.sentAtMs) / 1000;
  }

  ended(outcome: AttemptOutcome, why: string | undefined): void {
    this.outcome = outcome;
    this.why = why;
    // The request ends with a complete response.
    if (outcome !== 'completed') this.endedAtMs = performance.now();
  }

  get pickAttributes(): Attributes {
    const { reason, cachedTokens, predictedSeconds } = this.#pick;
    return {
      'spillway.pick.cause': this.#cause,
      'spillway.pick.reason': reason,
      'spillway.pick.expected_cached_tokens': cachedTokens,
      'spillway.pick.predicted_first_byte_seconds': predictedSeconds,
    };
  }
}
