// How attempts end, and what the retry policy makes of each end, written down a second time for the invariants.
import type { AttemptDeadline, AttemptFailureKind, RetryPolicy } from '../attempts/index.ts';

/** Why an attempt may have ended, as the router observed it. */
export type AttemptEnd = AttemptFailureKind | AttemptDeadline | number;

export class AttemptEnds {
  readonly #policy: RetryPolicy;

  constructor(policy: RetryPolicy) {
    this.#policy = policy;
  }

  /** Whether an attempt failed, and the request may be to blame; a status alone is no failure. */
  hasBroken(end: AttemptEnd | undefined): boolean {
    return this.mayReroute(end) && this.isBroken(end);
  }

  /** Whether the request may be to blame for the end of its attempt. */
  isBroken(end: AttemptEnd | undefined): boolean {
    const { failures, timers, busyStatuses } = this.#policy;
    if (end === undefined || end === 'total') return false;
    if (typeof end === 'number') return !busyStatuses.has(end);
    if (end === 'engineStall') return false;
    if (end === 'firstByte' || end === 'streamIdle') return timers[end].blamesRequest;
    return failures[end].blamesRequest;
  }

  /** Whether an engine did not accept the request. */
  isRefused(end: AttemptEnd | undefined): boolean {
    return end === 'connect' || (typeof end === 'number' && this.#policy.busyStatuses.has(end));
  }

  mayReroute(end: AttemptEnd | undefined): boolean {
    const { failures, timers, reroutedStatuses } = this.#policy;
    if (end === undefined || end === 'total') return false;
    if (typeof end === 'number') return reroutedStatuses.has(end);
    if (end === 'engineStall') return true;
    if (end === 'firstByte' || end === 'streamIdle') return timers[end].reroutes;
    return failures[end].reroutes;
  }
}
