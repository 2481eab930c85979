// Which engines have failed requests lately: a failure there says little about the next request.

/** How long a failure of another request is held against the engine, rather than against the request. */
const failingSeconds = 10;

/** Failures of an engine that are remembered; the newest ones, and those of suspects only as long as there is room. */
const rememberedMax = 16;

/** A request that failed. */
export interface FailedRequest {
  /** Whether several engines broke on it, so that one more failure says nothing about an engine. */
  readonly isSuspect: boolean;
}

interface Failure {
  readonly request: FailedRequest;
  readonly sentSeconds: number;
  readonly atSeconds: number;
}

/** The failures of one engine since it last worked. */
export class FailureStreak {
  failures = 0;
  lastSeconds = 0;
  /** Whether the engine has completed a response that was sent after the last failure. */
  isOver = false;
  /** Oldest first. */
  readonly #remembered: Failure[] = [];

  failed(request: FailedRequest, atSeconds: number, sentSeconds: number): void {
    this.failures++;
    this.lastSeconds = atSeconds;
    this.#remembered.push({ request, sentSeconds, atSeconds });
    if (this.#remembered.length <= rememberedMax) return;
    const suspect = this.#remembered.findIndex((failure) => failure.request.isSuspect);
    this.#remembered.splice(Math.max(0, suspect), 1);
  }

  /** When the request was sent that was sent last of those that failed and are no suspects. */
  get lastSentSeconds(): number {
    let last = Number.NEGATIVE_INFINITY;
    for (const { request, sentSeconds } of this.#remembered) {
      if (!request.isSuspect && sentSeconds > last) last = sentSeconds;
    }
    return last;
  }

  /** The other requests that it has failed lately. */
  failedBeside(request: FailedRequest, nowSeconds: number): readonly FailedRequest[] {
    return this.#remembered
      .filter((failure) => failure.request !== request && isRecent(failure, nowSeconds))
      .map((failure) => failure.request);
  }

  /** Whether it has failed a request lately that is no suspect. */
  isFailing(nowSeconds: number): boolean {
    return this.#remembered.some(
      (failure) => isRecent(failure, nowSeconds) && !failure.request.isSuspect,
    );
  }
}

function isRecent({ atSeconds }: Failure, nowSeconds: number): boolean {
  return nowSeconds - atSeconds <= failingSeconds;
}

/** Stands for all requests of other routers, which do not tell of failures of suspects. */
const elsewhere: FailedRequest = { isSuspect: false };

/** Holds a streak for each engine that failed in the last seconds. */
export class FailingEngines {
  readonly #streaks = new Map<string, FailureStreak>();

  /** Undefined for an engine that works. */
  streak(url: string): FailureStreak | undefined {
    return this.#streaks.get(url);
  }

  /** Whether an engine that is none of these has lately failed a request that is no suspect. */
  hasOtherThan(urls: ReadonlySet<string>, nowSeconds: number): boolean {
    for (const [url, streak] of this.#streaks) {
      if (!urls.has(url) && streak.isFailing(nowSeconds)) return true;
    }
    return false;
  }

  /** The engine failed a request, and may be to blame. */
  failed(url: string, request: FailedRequest, nowSeconds: number, sentSeconds: number): void {
    let streak = this.#streaks.get(url);
    if (streak === undefined) {
      streak = new FailureStreak();
      this.#streaks.set(url, streak);
    }
    streak.failed(request, nowSeconds, sentSeconds);
  }

  /**
   * The engine has completed a response.
   *
   * @param streak Its streak when the request was sent.
   * @param failures Length of the streak then: if it has grown, the engine failed later.
   */
  completed(url: string, streak: FailureStreak | undefined, failures: number): void {
    if (streak === undefined || streak !== this.#streaks.get(url)) return;
    if (streak.failures !== failures) return;
    streak.isOver = true;
    this.#streaks.delete(url);
  }

  /** The engine failed a request of another router, and may be to blame. */
  failedElsewhere(url: string, nowSeconds: number): void {
    // When it was sent is not known: the news may be late.
    this.failed(url, elsewhere, nowSeconds, Number.NEGATIVE_INFINITY);
  }

  /** The engine has completed a response to another router. @param sentSeconds When its request was sent. */
  completedElsewhere(url: string, sentSeconds: number): void {
    const streak = this.#streaks.get(url);
    if (streak === undefined || sentSeconds <= streak.lastSeconds) return;
    streak.isOver = true;
    this.#streaks.delete(url);
  }

  /** Forgets failures that no longer matter. */
  forgetOld(nowSeconds: number): void {
    for (const [url, { lastSeconds }] of this.#streaks) {
      if (nowSeconds - lastSeconds > failingSeconds) this.#streaks.delete(url);
    }
  }
}
