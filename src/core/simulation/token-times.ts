// The time of each output token of each request, stored as slices of long arrays: a run has millions of
// tokens, and a list per request would be reallocated again and again.

/** Number of times per array, except for a longer response. */
const arrayTokens = 65_536;
const noTimes = new Float64Array(0);

export class TokenTimes {
  /** By request, capacity for its complete response. */
  readonly #answers: (Float64Array | undefined)[] = [];
  /** By request, the number that have arrived. */
  readonly #counts: number[] = [];
  #array = noTimes;
  #used = 0;

  /** @param tokensMax Tokens of the complete response. */
  add(
    request: number,
    tokensMax: number,
    atSeconds: readonly number[],
    delaySeconds: number,
  ): void {
    let answer = this.#answers[request];
    if (answer === undefined) {
      answer = this.#room(tokensMax);
      this.#answers[request] = answer;
    }
    let count = this.#counts[request] ?? 0;
    for (const seconds of atSeconds) answer[count++] = seconds + delaySeconds;
    this.#counts[request] = count;
  }

  /** By request, below `requests`. */
  all(requests: number): Float64Array[] {
    return Array.from(
      { length: requests },
      (_, request) => this.#answers[request]?.subarray(0, this.#counts[request]) ?? noTimes,
    );
  }

  #room(tokens: number): Float64Array {
    if (this.#used + tokens > this.#array.length) {
      this.#array = new Float64Array(Math.max(arrayTokens, tokens));
      this.#used = 0;
    }
    const from = this.#used;
    this.#used += tokens;
    return this.#array.subarray(from, this.#used);
  }
}
