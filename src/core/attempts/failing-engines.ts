// Which engines have failed requests lately: a failure there says little about the next request.

/** How long a failure of another request is held against the engine, rather than against the request. */
const failingSeconds = 10;

/** The failures of one engine since it last worked. */
export class FailureStreak {
  failures = 0;
  lastSeconds = 0;
  /** When the request was sent that was sent last of those that failed. */
  lastSentSeconds = Number.NEGATIVE_INFINITY;
  /** Whether the engine has completed a response that was sent after the last failure. */
  isOver = false;
  /** The request that failed last, and when another one than that did. */
  #last: object | undefined = undefined;
  #otherSeconds = Number.NEGATIVE_INFINITY;

  failed(request: object, nowSeconds: number, sentSeconds: number): void {
    this.failures++;
    this.lastSentSeconds = Math.max(this.lastSentSeconds, sentSeconds);
    if (request !== this.#last) {
      if (this.#last !== undefined) this.#otherSeconds = this.lastSeconds;
      this.#last = request;
    }
    this.lastSeconds = nowSeconds;
  }

  /** Whether it has failed another request lately. */
  hasFailedOther(request: object, nowSeconds: number): boolean {
    const seconds = request === this.#last ? this.#otherSeconds : this.lastSeconds;
    return nowSeconds - seconds <= failingSeconds;
  }
}

/** Stands for all requests of other routers. */
const elsewhere = {};

/** Holds a streak for each engine that failed in the last seconds. */
export class FailingEngines {
  readonly #streaks = new Map<string, FailureStreak>();

  /** Undefined for an engine that works. */
  streak(url: string): FailureStreak | undefined {
    return this.#streaks.get(url);
  }

  /** Whether an engine has failed lately that is none of these. */
  hasOtherThan(urls: ReadonlySet<string>, nowSeconds: number): boolean {
    for (const [url, { lastSeconds }] of this.#streaks) {
      if (!urls.has(url) && nowSeconds - lastSeconds <= failingSeconds) return true;
    }
    return false;
  }

  /** The engine failed a request, and may be to blame. */
  failed(url: string, request: object, nowSeconds: number, sentSeconds: number): void {
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
