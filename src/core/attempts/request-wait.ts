// A request without an attempt that waits: for an engine, when none is left; or, when it is suspected of breaking engines,
// for these to fail others too.
import type { AttemptWatch } from './deadlines.ts';
import type { Move, RetryAccount } from './retry-account.ts';

/** `again`: an engine may be picked now. `over`: the request fails. */
export type WaitVerdict = 'waits' | 'again' | 'over';

/** Waiting requests of a router; further ones fail at once. */
const waitingMax = 256;
/** How long a suspected request waits. */
const suspectSeconds = 2;
/** How long a request that all engines have failed waits for the health checks that say whether any of them is left. */
const verdictSeconds = 0.5;

export class RequestWait {
  readonly #watch: AttemptWatch;
  readonly #retries: RetryAccount;
  readonly #secondsWithoutEngine: () => number | undefined;
  readonly #sinceSeconds: number;
  #isSuspect: boolean;
  /** How the request moves after the wait; undefined if no engine has had it. */
  move: Move | undefined;
  /** What becomes of the request if the wait is in vain. */
  readonly giveUp: () => void;

  /** @param giveUp What becomes of the request if the wait is in vain. */
  constructor(
    watch: AttemptWatch,
    retries: RetryAccount,
    secondsWithoutEngine: () => number | undefined,
    move: Move | undefined,
    giveUp: () => void,
  ) {
    this.#watch = watch;
    this.#retries = retries;
    this.#secondsWithoutEngine = secondsWithoutEngine;
    this.#isSuspect = move !== undefined && retries.mayBeAcquitted(move);
    this.#sinceSeconds = watch.nowSeconds;
    this.move = move;
    this.giveUp = giveUp;
  }

  /** @returns Whether it waits. */
  begin(): boolean {
    const { waiting, settings } = this.#watch;
    if (waiting >= waitingMax || settings.engineWaitSeconds === 0) return false;
    const { move } = this;
    // There are engines, and none was picked for another reason.
    if (move === undefined && this.#secondsWithoutEngine() === undefined) return false;
    const isAllowed = this.#isSuspect || move === undefined || this.#retries.mayRetry(move);
    if (!isAllowed || this.check() === 'over') return false;
    this.#watch.waiting++;
    return true;
  }

  end(): void {
    this.#watch.waiting--;
  }

  /** Called a few times a second. */
  check(): WaitVerdict {
    const waitedSeconds = this.#watch.nowSeconds - this.#sinceSeconds;
    if (this.#isSuspect) {
      if (!this.#retries.acquit(this.#watch.failing)) {
        return waitedSeconds < suspectSeconds ? 'waits' : 'over';
      }
      this.#isSuspect = false;
      this.move = 'substitute';
      return 'again';
    }
    const goneSeconds = this.#secondsWithoutEngine();
    if (goneSeconds === undefined) {
      if (this.move === undefined || this.#retries.tried === undefined) return 'again';
      return waitedSeconds < verdictSeconds ? 'waits' : 'over';
    }
    if (goneSeconds >= this.#watch.settings.engineWaitSeconds) return 'over';
    this.#retries.renewed();
    return 'waits';
  }
}
