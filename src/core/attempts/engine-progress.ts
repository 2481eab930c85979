// Whether an engine still produces tokens, as its streams see it: an engine can answer health checks while nothing moves.
import type { DeadlineSettings } from './deadline-settings.ts';

/** Fewer silent streams than this say nothing about their engine: a parser may hold a stream's text back. */
const streamsMin = 2;
/**
 * Prefill speed that no engine stays below whose steps hold a whole prompt, in tokens per second: a 70B model on 4 × A100
 * reaches about 4,000. Such a step stalls every stream of the engine.
 */
const prefillTokensPerSecondMin = 2_000;
/** A silence has to be this many times longer than those that the engine has recovered from lately. */
const usualFactor = 3;
/** Part of the longest silence that is remembered after a check; its half-life is three minutes. */
const usualKeep = 0.999;

/** Filled by the requests of one engine during each check of `AttemptWatch`. */
export class EngineProgress {
  readonly url: string;
  /** Whether it is wedged, according to the check in progress. */
  isWedged = false;
  /** Since when no stream has had data. */
  quietSinceSeconds: number;
  #isUsed = true;
  #streams = 0;
  #hasData = false;
  #prefillTokens = 0;
  /** The longest silence lately that ended with data. */
  #usualSeconds = 0;

  constructor(url: string, nowSeconds: number) {
    this.url = url;
    this.quietSinceSeconds = nowSeconds;
  }

  /** A request that has no data yet. @param prefillTokens Tokens of its prompt that the engine has to compute. */
  waits(sentSeconds: number, prefillTokens: number): void {
    this.#isUsed = true;
    // Requests that came later cannot be the reason for the silence.
    if (sentSeconds > this.quietSinceSeconds) return;
    if (prefillTokens > this.#prefillTokens) this.#prefillTokens = prefillTokens;
  }

  /** A stream that has begun. @param hasData Whether data has arrived since the last check. */
  streams(hasData: boolean, isClientSlow: boolean): void {
    this.#isUsed = true;
    if (hasData) this.#hasData = true;
    if (!isClientSlow) this.#streams++;
  }

  /** Decides after all its requests have reported. @returns Whether any did. */
  decide(nowSeconds: number, settings: DeadlineSettings): boolean {
    const quietSeconds = nowSeconds - this.quietSinceSeconds;
    const { engineStallSeconds, streamIdleSeconds } = settings;
    this.isWedged = false;
    this.#usualSeconds *= usualKeep;
    if (this.#hasData || this.#streams < streamsMin) {
      if (this.#hasData) this.#usualSeconds = Math.max(this.#usualSeconds, quietSeconds);
      this.quietSinceSeconds = nowSeconds;
    } else {
      const usual = Math.min(usualFactor * this.#usualSeconds, streamIdleSeconds);
      const prefill = this.#prefillTokens / prefillTokensPerSecondMin;
      if (quietSeconds > Math.max(engineStallSeconds, usual, prefill)) {
        this.isWedged = true;
        this.quietSinceSeconds = nowSeconds;
      }
    }
    const isUsed = this.#isUsed;
    this.#isUsed = false;
    this.#streams = 0;
    this.#hasData = false;
    this.#prefillTokens = 0;
    return isUsed;
  }
}
