// Requests per second, from the counter at each look: nothing is added to the path of a request.

/** Looks are kept for this long: the rate is an average over it. */
const windowSeconds = 5;
/** Looks kept; the web page and the terminal look three times a second together. */
const looksMax = 64;

export class RequestRate {
  readonly #looks: { readonly atSeconds: number; readonly requests: number }[];

  constructor(startSeconds: number) {
    this.#looks = [{ atSeconds: startSeconds, requests: 0 }];
  }

  /**
   * The average rate over the last 5 s, or since the last look before that if nobody looked since.
   *
   * @param requests Requests so far.
   */
  perSecond(requests: number, nowSeconds: number): number {
    const looks = this.#looks;
    // One look at or before the window's begin stays: it is where the average starts.
    while (looks.length > 1 && (looks[1]?.atSeconds ?? nowSeconds) <= nowSeconds - windowSeconds) {
      looks.shift();
    }
    const first = looks[0];
    if (looks.length < looksMax) looks.push({ atSeconds: nowSeconds, requests });
    if (!first || nowSeconds <= first.atSeconds) return 0;
    return (requests - first.requests) / (nowSeconds - first.atSeconds);
  }
}
