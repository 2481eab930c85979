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

/**
 * Weighted least squares over (tokens, seconds) that forgets, with the prior as two
 * pseudo-observations: at 0 tokens and at `priorTokens`.
 */
export class PrefillSpeed {
  // The line, changed in place: each pick may bend those of all engines.
  #overheadSeconds: number;
  #secondsPerToken: number;
  /** As handed out; undefined once it has changed. */
  #line: SpeedLine | undefined;
  #prior: SpeedLine;
  #updatedSeconds = 0;
  #weight = 0;
  #tokens = 0;
  #seconds = 0;
  #tokensSquared = 0;
  #tokensSeconds = 0;

  constructor(prior: SpeedLine = speedPrior) {
    this.#overheadSeconds = prior.overheadSeconds;
    this.#secondsPerToken = prior.secondsPerToken;
    this.#prior = prior;
  }

  /** The same object as long as it is the same line. */
  get line(): SpeedLine {
    this.#line ??= {
      overheadSeconds: this.#overheadSeconds,
      secondsPerToken: this.#secondsPerToken,
    };
    return this.#line;
  }

  /** Seconds that prefill of so many tokens takes, with its overhead. */
  secondsFor(tokens: number): number {
    return this.#overheadSeconds + this.#secondsPerToken * tokens;
  }

  /**
   * Takes in one observation.
   *
   * @param tokens Prefill work done, in tokens.
   * @param seconds Time it took.
   * @param prior What engines like this one do; where its own evidence has faded, that holds.
   */
  observe(tokens: number, seconds: number, nowSeconds: number, prior: SpeedLine): void {
    this.#prior = prior;
    this.#forget(0.5 ** (1 / halfLifeObservations), nowSeconds);
    const expected = this.secondsFor(tokens);
    const clamped = Math.min(Math.max(seconds, expected / outlierFactor), expected * outlierFactor);
    this.#add(tokens, clamped);
    this.#fit();
  }

  /**
   * Takes in what engines like this one do now, and lets what was learned here fade with time. Call
   * it before a prediction: where there is little evidence, the prior rules.
   */
  age(nowSeconds: number, prior: SpeedLine): void {
    const idle = nowSeconds - this.#updatedSeconds >= halfLifeSeconds / 8;
    if (!idle && prior === this.#prior) return;
    this.#prior = prior;
    if (idle) this.#forget(1, nowSeconds);
    this.#fit();
  }

  /** Nothing can be learned now, though the engine works: what was learned stays. */
  hold(nowSeconds: number): void {
    this.#updatedSeconds = nowSeconds;
  }

  #forget(factor: number, nowSeconds: number): void {
    const idle = Math.max(0, nowSeconds - this.#updatedSeconds);
    const keep = factor * 0.5 ** (idle / halfLifeSeconds);
    this.#updatedSeconds = nowSeconds;
    this.#weight *= keep;
    this.#tokens *= keep;
    this.#seconds *= keep;
    this.#tokensSquared *= keep;
    this.#tokensSeconds *= keep;
  }

  #add(tokens: number, seconds: number): void {
    const weight = (weightTokens / (weightTokens + tokens)) ** 2;
    this.#weight += weight;
    this.#tokens += weight * tokens;
    this.#seconds += weight * seconds;
    this.#tokensSquared += weight * tokens * tokens;
    this.#tokensSeconds += weight * tokens * seconds;
  }

  #fit(): void {
    const { overheadSeconds, secondsPerToken } = this.#prior;
    const priorWeight = (weightTokens / (weightTokens + priorTokens)) ** 2;
    const priorSeconds = overheadSeconds + secondsPerToken * priorTokens;
    // The prior's observation at 0 tokens counts as one, that at `priorTokens` as one there.
    const weight = this.#weight + 1 + priorWeight;
    const tokens = this.#tokens + priorWeight * priorTokens;
    const seconds = this.#seconds + overheadSeconds + priorWeight * priorSeconds;
    const tokensSquared = this.#tokensSquared + priorWeight * priorTokens * priorTokens;
    const tokensSeconds = this.#tokensSeconds + priorWeight * priorTokens * priorSeconds;
    const slope =
      (weight * tokensSeconds - tokens * seconds) / (weight * tokensSquared - tokens * tokens);
    const overhead = (seconds - slope * tokens) / weight;
    this.#line = undefined;
    if (overhead < overheadLeast) {
      // Through the least overhead: the slope that fits best under that constraint.
      const constrained = (tokensSeconds - overheadLeast * tokens) / tokensSquared;
      this.#overheadSeconds = overheadLeast;
      this.#secondsPerToken = Math.max(constrained, secondsPerTokenLeast);
    } else if (slope < secondsPerTokenLeast) {
      this.#overheadSeconds = (seconds - secondsPerTokenLeast * tokens) / weight;
      this.#secondsPerToken = secondsPerTokenLeast;
    } else {
      this.#overheadSeconds = overhead;
      this.#secondsPerToken = slope;
    }
  }
}
