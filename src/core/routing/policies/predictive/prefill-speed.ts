// How fast one engine gets through prefill, learned from the times of its first bytes.

/** `overheadSeconds` + `secondsPerToken` · tokens. */
export interface SpeedLine {
  /** Network, tokenizing, the step in progress and a first step of decode. */
  readonly overheadSeconds: number;
  readonly secondsPerToken: number;
}

/**
 * What is assumed of an engine of which nothing is known: 10,000 tokens/s lies between an 8B model
 * on an A100 and a 32B model on an H100, which reach 15,000 and 7,000 by their FLOP/s.
 */
export const speedPrior: SpeedLine = { overheadSeconds: 0.03, secondsPerToken: 1e-4 };

/** Observations that count half: an engine's speed changes with its decode load. */
const halfLifeObservations = 64;
/** Without traffic, what was learned counts half after this time, and the prior returns. */
const halfLifeSeconds = 300;
/** One observation says at most this factor more or less than expected. */
const outlierFactor = 8;
/** Where the prior's two pseudo-observations lie. */
const priorTokens = 8192;
/** Relative errors count, not absolute ones; this keeps tiny prompts from ruling. */
const weightTokens = 1024;
const overheadLeast = 1e-4;
const secondsPerTokenLeast = 1e-7;

// Places in a row of numbers: the line, what it was last fitted with, and the sums that it is fitted to.
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
/** Numbers of one engine's speed. */
export const speedLength = 10;

/** Where a row lies. */
export interface SpeedPlace {
  readonly numbers: Float64Array;
  readonly at: number;
}

/**
 * Weighted least squares over (tokens, seconds) that forgets, with the prior as two
 * pseudo-observations: at 0 tokens and at `priorTokens`.
 */
export class PrefillSpeed {
  readonly #place: SpeedPlace;
  /** As handed out; undefined once it has changed. */
  #line: SpeedLine | undefined;

  /** @param place A row of zeros, which is this engine's from now on. */
  constructor(
    prior: SpeedLine = speedPrior,
    place: SpeedPlace = { numbers: new Float64Array(speedLength), at: 0 },
  ) {
    this.#place = place;
    const { numbers, at } = place;
    numbers[at + overhead] = prior.overheadSeconds;
    numbers[at + perToken] = prior.secondsPerToken;
    setPrior(numbers, at, prior);
  }

  /** The same object until something is observed. */
  get line(): SpeedLine {
    const { numbers, at } = this.#place;
    this.#line ??= {
      overheadSeconds: numbers[at + overhead] as number,
      secondsPerToken: numbers[at + perToken] as number,
    };
    return this.#line;
  }

  /** Seconds that prefill of so many tokens takes, with its overhead. */
  secondsFor(tokens: number): number {
    return secondsOfSpeed(this.#place.numbers, this.#place.at, tokens);
  }

  /**
   * Takes in one observation.
   *
   * @param tokens Prefill work done, in tokens.
   * @param seconds Time it took.
   * @param prior What engines like this one do; where its own evidence has faded, that holds.
   */
  observe(tokens: number, seconds: number, nowSeconds: number, prior: SpeedLine): void {
    const { numbers, at } = this.#place;
    this.#line = undefined;
    setPrior(numbers, at, prior);
    forget(numbers, at, 0.5 ** (1 / halfLifeObservations), nowSeconds);
    const expected = this.secondsFor(tokens);
    const clamped = Math.min(Math.max(seconds, expected / outlierFactor), expected * outlierFactor);
    add(numbers, at, tokens, clamped);
    fit(numbers, at);
  }

  /**
   * Takes in what engines like this one do now, and lets what was learned here fade with time. Call
   * it before a prediction: where there is little evidence, the prior rules.
   */
  age(nowSeconds: number, prior: SpeedLine): void {
    this.#line = undefined;
    ageSpeed(this.#place.numbers, this.#place.at, nowSeconds, prior);
  }

  /** Nothing can be learned now, though the engine works: what was learned stays. */
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
  for (let sum = at + sumWeight; sum <= at + sumTokensSeconds; sum++) {
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

function fit(numbers: Float64Array, at: number): void {
  const overheadSeconds = numbers[at + priorOverhead] as number;
  const secondsPerToken = numbers[at + priorPerToken] as number;
  const priorWeight = (weightTokens / (weightTokens + priorTokens)) ** 2;
  const priorSeconds = overheadSeconds + secondsPerToken * priorTokens;
  // The prior's observation at 0 tokens counts as one, that at `priorTokens` as one there.
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
    // Through the least overhead: the slope that fits best under that constraint.
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
}
