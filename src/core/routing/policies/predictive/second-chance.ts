// Lets an engine that became slow prove that it is fast again. It would get no requests, hence have no evidence, and its
// few slow first bytes would fade over minutes.
import type { ForecastRow } from './forecast-row.ts';
import {
  type PrefillSpeed,
  type SpeedLine,
  type SpeedSnapshot,
  secondsOn,
} from './prefill-speed.ts';

/** A first byte that took so many times longer than predicted is a disturbance; fits clamp it to this factor too. */
const disturbedFactor = 8;
/** Below this, a disturbance is a hiccup of the network or of a step. */
const disturbedSecondsMin = 0.5;
/** A first byte is normal if it takes at most this many times what was predicted before the disturbance. */
const normalFactor = 3;
/** Normal first bytes in a row, after which the engine is trusted again. */
const normalsNeeded = 3;
/** Slow first bytes in a row as the speed learned since predicts them, after which the engine has that speed. */
const slowsNeeded = 16;
/** Pause of an idle engine before it is tried, doubled with each trial that fails. */
const firstPauseSeconds = 2;
const longestPauseSeconds = 60;

/** The disturbance of one engine; does nothing until there is one. */
export class SecondChance {
  readonly #row: ForecastRow;
  readonly #speed: PrefillSpeed;
  /** What was known before the disturbance. */
  #before: { readonly snapshot: SpeedSnapshot; readonly line: SpeedLine } | undefined;
  #pauseSeconds = firstPauseSeconds;
  #normals = 0;
  #slows = 0;

  constructor(row: ForecastRow, speed: PrefillSpeed) {
    this.#row = row;
    this.#speed = speed;
    row.retryAtSeconds = Number.POSITIVE_INFINITY;
  }

  /** Whether the engine is disturbed, so that each of its first bytes counts by itself. */
  get isDisturbed(): boolean {
    return this.#before !== undefined;
  }

  /**
   * Takes in a first byte before the speed is fitted to it.
   *
   * @param work That of the whole prompt: a cache that held less than assumed is no disturbance.
   */
  observe(work: number, seconds: number, nowSeconds: number): void {
    const expected = this.#speed.secondsFor(work);
    if (this.#before === undefined) {
      if (seconds < disturbedFactor * expected || seconds - expected < disturbedSecondsMin) return;
      this.#before = { snapshot: this.#speed.snapshot(), line: this.#speed.line };
      this.#pauseSeconds = firstPauseSeconds;
    }
    if (seconds <= normalFactor * secondsOn(this.#before.line, work)) this.#normal();
    else this.#slow(nowSeconds, seconds <= 2 * expected);
  }

  /** The engine is idle and its pause is over: it counts as before the disturbance, one request at a time. */
  begin(): void {
    const row = this.#row;
    row.retryAtSeconds = Number.POSITIVE_INFINITY;
    if (this.#before === undefined) return;
    row.doubt = disturbedFactor;
    this.#speed.restore(this.#before.snapshot);
    this.#normals = 0;
  }

  #normal(): void {
    this.#slows = 0;
    this.#normals++;
    if (this.#normals >= normalsNeeded) this.#end();
  }

  #slow(nowSeconds: number, isAsLearned: boolean): void {
    const row = this.#row;
    this.#normals = 0;
    this.#slows = isAsLearned ? this.#slows + 1 : 0;
    if (this.#slows >= slowsNeeded) {
      this.#end();
      return;
    }
    if (row.doubt > 0) this.#pauseSeconds = Math.min(longestPauseSeconds, 2 * this.#pauseSeconds);
    row.doubt = 0;
    row.retryAtSeconds = nowSeconds + this.#pauseSeconds;
    // So long a first byte is no chance: the fleet's speed says nothing of this engine now.
    this.#speed.standAlone(true);
  }

  #end(): void {
    this.#before = undefined;
    this.#normals = 0;
    this.#slows = 0;
    this.#speed.standAlone(false);
    this.#row.doubt = 0;
    this.#row.retryAtSeconds = Number.POSITIVE_INFINITY;
  }
}
