// Who of several operators works: the holder of a Lease. As in client-go, an operator measures by its own clock for how long the
// lease has not changed, so clocks of machines need not agree.
import type { Clock } from '../base/index.ts';

/** What a Lease says. @see https://kubernetes.io/docs/concepts/architecture/leases/ */
export interface LeaseSpec {
  readonly holderIdentity?: string;
  readonly leaseDurationSeconds?: number;
  readonly acquireTime?: string;
  readonly renewTime?: string;
  readonly leaseTransitions?: number;
}

export interface Lease {
  readonly spec?: LeaseSpec;
  readonly resourceVersion?: string;
}

/** client-go's defaults. */
const leaseSeconds = 15;
export const renewSeconds = 10;
export const retrySeconds = 2;

/** What to do after a look at the lease. */
export type LeaseStep =
  /** Write this; the write fails if the lease has changed since. */
  { readonly do: 'write'; readonly spec: LeaseSpec } | { readonly do: 'wait' };

export class Leadership {
  readonly #identity: string;
  readonly #clock: Clock;
  /** The lease as last seen to change, and when. */
  #seen = '';
  #seenAtSeconds = 0;
  #heldUntilSeconds = Number.NEGATIVE_INFINITY;

  constructor(identity: string, clock: Clock) {
    this.#identity = identity;
    this.#clock = clock;
  }

  /** Whether this operator may act now. It stops before the others may begin. */
  get isLeader(): boolean {
    return this.#clock.nowSeconds() < this.#heldUntilSeconds;
  }

  /** @param now For the lease's own times; RFC 3339 with microseconds. */
  next(lease: Lease | undefined, now: string): LeaseStep {
    const seconds = this.#clock.nowSeconds();
    const { spec = {}, resourceVersion = '' } = lease ?? {};
    if (resourceVersion !== this.#seen) {
      this.#seen = resourceVersion;
      this.#seenAtSeconds = seconds;
    }
    const isOurs = spec.holderIdentity === this.#identity;
    const isFree = !spec.holderIdentity;
    const isOver = seconds >= this.#seenAtSeconds + (spec.leaseDurationSeconds ?? leaseSeconds);
    if (!isOurs && !isFree && !isOver) return { do: 'wait' };
    return {
      do: 'write',
      spec: {
        holderIdentity: this.#identity,
        leaseDurationSeconds: leaseSeconds,
        acquireTime: isOurs ? (spec.acquireTime ?? now) : now,
        renewTime: now,
        leaseTransitions: (spec.leaseTransitions ?? 0) + (isOurs || lease === undefined ? 0 : 1),
      },
    };
  }

  /** The write has succeeded. @param startedSeconds When it was begun, by the clock. */
  written(startedSeconds: number): void {
    this.#heldUntilSeconds = startedSeconds + renewSeconds;
  }

  /** Another operator holds it, or this one has given it up. */
  lost(): void {
    this.#heldUntilSeconds = Number.NEGATIVE_INFINITY;
  }
}
