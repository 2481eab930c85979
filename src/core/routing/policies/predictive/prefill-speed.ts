// The prefill speed of one engine, learned from the times of its first bytes.

/** Prefill time as a line: `overheadSeconds` + `secondsPerToken` · tokens. */
export interface SpeedLine {
  /** Time for network, tokenizing, the step in progress and a first step of decode. */
  readonly overheadSeconds: number;
  readonly secondsPerToken: number;
}

/**
 * Assumed speed of an unknown engine: 10,000 tokens/s lies between an 8B model on an A100 and a 32B model
 * on an H100, which reach 15,000 and 7,000 by their FLOP/s.
 */
export const speedPrior: SpeedLine = { overheadSeconds: 0.03, secondsPerToken: 1e-4 };

/** Half-life in observations: an engine's speed changes with its decode load. */
const halfLifeObservations = 64;
/** Half-life in seconds: without traffic, observations fade and the prior returns. */
const halfLifeSeconds = 300;
/** An observation is clamped to this factor above or below the expected time. */
const outlierFactor = 8;
/** Position of the prior's second pseudo-observation; the first is at 0 tokens. */
const priorTokens = 8192;
/** Errors are weighted relative to the prompt's length; this limits the weight of tiny prompts. */
const weightTokens = 1024;
const overheadLeast = 1e-4;
const secondsPerTokenLeast = 1e-7;
/**
 * Agreement of an engine's observations, below which it counts as fast as the fleet. The agreement is the square of the sum
 * of their deviations from the fleet's line over the sum of the squares: n if n observations deviate alike, about 1 if they
 * deviate by chance, and little more after a few that are far out, such as the first ones of a process. 9 are three
 * standard errors. Tried 4: equal engines still differ by a third in their shares.
 */
const agreementMin = 9;

// Offsets in a row of numbers: the line, the prior of its last fit, the sums that it is fitted to, and those of the relative
// deviations from the prior.
const overhead = 0;
const perToken = 1;
const priorOverhead = 2;
const priorPerToken = 3;
const updated = 4;
const sumWeight = 5;
const sumTokens = 6;
const sumSeconds = 7;
const sumTokensSquared = 8;
const sumTokensSeconds = 9;
const sumDeviations = 10;
const sumDeviationsSquared = 11;
/** 1 while the engine is disturbed, which no agreement has to show. */
const alone = 12;
/** Length of such a row. */
export const speedLength = 13;

/** A copy of such a row. */
export type SpeedSnapshot = Float64Array;

/** Seconds of a prefill of this many tokens on a line. */
export function secondsOn(line: SpeedLine, tokens: number): number {
  return line.overheadSeconds + line.secondsPerToken * tokens;
}

/** Position of a row. */
export interface SpeedPlace {
  readonly numbers: Float64Array;
  readonly at: number;
}

/**
 * Weighted least squares over (tokens, seconds) with exponential forgetting. The prior counts as two
 * pseudo-observations: at 0 tokens and at `priorTokens`. The line of an engine is then drawn to the prior, the
 * fleet's line, as far as its observations do not agree that it differs (`agreementMin`): equal engines have equal lines, so that
 * chance does not decide between them, and an engine whose evidence fades is tried again.
 */
export class PrefillSpeed {
  readonly #place: SpeedPlace;
  readonly #isFleet: boolean;
  /** The line as last returned; undefined once it has changed. */
  #line: SpeedLine | undefined;

  /**
   * @param place A row of zeros, which this object owns from now on.
   * @param isFleet Whether it is the speed of all engines, which nothing draws to its prior.
   */
  constructor(
    prior: SpeedLine = speedPrior,
    place: SpeedPlace = { numbers: new Float64Array(speedLength), at: 0 },
    isFleet = false,
  ) {
    this.#isFleet = isFleet;
    this.#place = place;
    const { numbers, at } = place;
    numbers[at + overhead] = prior.overheadSeconds;
    numbers[at + perToken] = prior.secondsPerToken;
    setPrior(numbers, at, prior);
  }

  /** The learned line; the same object until it changes. */
  get line(): SpeedLine {
    const { numbers, at } = this.#place;
    this.#line ??= {
      overheadSeconds: numbers[at + overhead] as number,
      secondsPerToken: numbers[at + perToken] as number,
    };
    return this.#line;
  }

  /** Seconds of a prefill of this many tokens, including the overhead. */
  secondsFor(tokens: number): number {
    return secondsOfSpeed(this.#place.numbers, this.#place.at, tokens);
  }

  /**
   * Takes in one observation.
   *
   * @param tokens Prefill work done, in tokens.
   * @param seconds Time it took.
   * @param prior Speed of similar engines, which replaces evidence that has faded.
   */
  observe(tokens: number, seconds: number, nowSeconds: number, prior: SpeedLine): void {
    const { numbers, at } = this.#place;
    this.#line = undefined;
    setPrior(numbers, at, prior);
    forget(numbers, at, 0.5 ** (1 / halfLifeObservations), nowSeconds);
    const expected = this.secondsFor(tokens);
    const clamped = Math.min(Math.max(seconds, expected / outlierFactor), expected * outlierFactor);
    add(numbers, at, tokens, clamped);
    if (!this.#isFleet) compare(numbers, at, clamped / secondsOn(prior, tokens) - 1);
    fit(numbers, at);
  }

  /**
   * Updates the prior, and lets observations fade with time. Call it before a prediction: with little
   * evidence, the prior decides.
   */
  age(nowSeconds: number, prior: SpeedLine): void {
    this.#line = undefined;
    ageSpeed(this.#place.numbers, this.#place.at, nowSeconds, prior);
  }

  /** Everything that is known now. */
  snapshot(): SpeedSnapshot {
    const { numbers, at } = this.#place;
    return numbers.slice(at, at + speedLength);
  }

  /** Returns to what was known then. */
  restore(snapshot: SpeedSnapshot): void {
    this.#line = undefined;
    this.#place.numbers.set(snapshot, this.#place.at);
  }

  /** Whether the line counts as it is, regardless of the fleet's. Takes effect with the next observation; `restore` ends it. */
  standAlone(isAlone: boolean): void {
    this.#place.numbers[this.#place.at + alone] = isAlone ? 1 : 0;
  }

  /** Stops the fading while the engine works but nothing can be learned. */
  hold(nowSeconds: number): void {
    this.#place.numbers[this.#place.at + updated] = nowSeconds;
  }
}

/** See `PrefillSpeed.secondsFor`. */
export function secondsOfSpeed(numbers: Float64Array, at: number, tokens: number): number {
  return (numbers[at + overhead] as number) + (numbers[at + perToken] as number) * tokens;
}

/** See `PrefillSpeed.age`. */
export function ageSpeed(
  numbers: Float64Array,
  at: number,
  nowSeconds: number,
  prior: SpeedLine,
): void {
  const idle = nowSeconds - (numbers[at + updated] as number) >= halfLifeSeconds / 8;
  const isSamePrior =
    numbers[at + priorOverhead] === prior.overheadSeconds &&
    numbers[at + priorPerToken] === prior.secondsPerToken;
  if (!idle && isSamePrior) return;
  setPrior(numbers, at, prior);
  if (idle) forget(numbers, at, 1, nowSeconds);
  fit(numbers, at);
}

function setPrior(numbers: Float64Array, at: number, prior: SpeedLine): void {
  numbers[at + priorOverhead] = prior.overheadSeconds;
  numbers[at + priorPerToken] = prior.secondsPerToken;
}

function forget(numbers: Float64Array, at: number, factor: number, nowSeconds: number): void {
  const idle = Math.max(0, nowSeconds - (numbers[at + updated] as number));
  const keep = factor * 0.5 ** (idle / halfLifeSeconds);
  numbers[at + updated] = nowSeconds;
  for (let sum = at + sumWeight; sum <= at + sumDeviationsSquared; sum++) {
    numbers[sum] = (numbers[sum] as number) * keep;
  }
}

function add(numbers: Float64Array, at: number, tokens: number, seconds: number): void {
  const weight = (weightTokens / (weightTokens + tokens)) ** 2;
  const count = (sum: number, value: number) => {
    numbers[at + sum] = (numbers[at + sum] as number) + value;
  };
  count(sumWeight, weight);
  count(sumTokens, weight * tokens);
  count(sumSeconds, weight * seconds);
  count(sumTokensSquared, weight * tokens * tokens);
  count(sumTokensSeconds, weight * tokens * seconds);
}

/** @param deviation From the prior, as a share of it. */
function compare(numbers: Float64Array, at: number, deviation: number): void {
  numbers[at + sumDeviations] = (numbers[at + sumDeviations] as number) + deviation;
  numbers[at + sumDeviationsSquared] =
    (numbers[at + sumDeviationsSquared] as number) + deviation * deviation;
}

function fit(numbers: Float64Array, at: number): void {
  const overheadSeconds = numbers[at + priorOverhead] as number;
  const secondsPerToken = numbers[at + priorPerToken] as number;
  const priorWeight = (weightTokens / (weightTokens + priorTokens)) ** 2;
  const priorSeconds = overheadSeconds + secondsPerToken * priorTokens;
  // The prior's observation at 0 tokens has weight 1, the one at `priorTokens` the weight of an observation there.
  const weight = (numbers[at + sumWeight] as number) + 1 + priorWeight;
  const tokens = (numbers[at + sumTokens] as number) + priorWeight * priorTokens;
  const seconds =
    (numbers[at + sumSeconds] as number) + overheadSeconds + priorWeight * priorSeconds;
  const tokensSquared =
    (numbers[at + sumTokensSquared] as number) + priorWeight * priorTokens * priorTokens;
  const tokensSeconds =
    (numbers[at + sumTokensSeconds] as number) + priorWeight * priorTokens * priorSeconds;
  const slope =
    (weight * tokensSeconds - tokens * seconds) / (weight * tokensSquared - tokens * tokens);
  const start = (seconds - slope * tokens) / weight;
  if (start < overheadLeast) {
    // The overhead is fixed at its minimum; this slope fits best under that constraint.
    const constrained = (tokensSeconds - overheadLeast * tokens) / tokensSquared;
    numbers[at + overhead] = overheadLeast;
    numbers[at + perToken] = Math.max(constrained, secondsPerTokenLeast);
  } else if (slope < secondsPerTokenLeast) {
    numbers[at + overhead] = (seconds - secondsPerTokenLeast * tokens) / weight;
    numbers[at + perToken] = secondsPerTokenLeast;
  } else {
    numbers[at + overhead] = start;
    numbers[at + perToken] = slope;
  }
  const squares = numbers[at + sumDeviationsSquared] as number;
  // Without anything to compare, the line is the prior, or that of the fleet.
  if (squares === 0 || numbers[at + alone] === 1) return;
  const agreement = (numbers[at + sumDeviations] as number) ** 2 / squares;
  const own = agreement > agreementMin ? 1 - agreementMin / agreement : 0;
  numbers[at + overhead] = between(overheadSeconds, numbers[at + overhead] as number, own);
  numbers[at + perToken] = between(secondsPerToken, numbers[at + perToken] as number, own);
}

function between(prior: number, fitted: number, share: number): number {
  return prior + share * (fitted - prior);
}
