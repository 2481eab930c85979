// When each engine's health is checked and its metrics are read: at a moment of its own within the interval, so
// that a large fleet is checked evenly instead of all at once.

export interface CheckIntervals {
  /** Interval between health checks of a live engine. */
  readonly healthIntervalMs: number;
  /** Interval between readings of an engine's metrics. */
  readonly statsIntervalMs: number;
}

export interface DueChecks<Key> {
  readonly health: readonly Key[];
  readonly stats: readonly Key[];
}

/** Interval between health checks of an engine that is dead. */
const deadIntervalMs = 1_000;
/** Finest resolution of the schedule; a look at a thousand engines costs some microseconds. */
const lookMsMax = 100;
const looksPerInterval = 4;
/**
 * Checks started by one look: at most this multiple of the even share. After a pause of this process everything
 * is due at once, and is then caught up on over several looks.
 */
const catchUpFactor = 2;
const startsPerLookMin = 64;
/** Fractional part of the golden ratio: its multiples divide an interval evenly, however many there are. */
const goldenShare = 0.618_033_988_749_894_9;

/** Moments in `#moments` of one engine: its next health check, its next reading, and the next check if it is dead. */
const momentsPerEngine = 3;

/**
 * Decides what is due. An engine's metrics are read half an interval after its health check where the two
 * intervals are equal, so that a connection is used twice as often and stays open: engines close idle ones.
 *
 * @example
 * const schedule = new CheckSchedule<Engine>({ healthIntervalMs: 5000, statsIntervalMs: 5000 });
 * setInterval(() => {
 *   const { health, stats } = schedule.due(engines, performance.now(), deadEngines);
 * }, schedule.lookMs);
 */
export class CheckSchedule<Key extends object> {
  readonly #intervals: CheckIntervals;
  /** The engines of the last look in their order, which hardly ever changes. */
  #keys: Key[] = [];
  /** Of `#keys`, side by side: a look at a thousand engines reads 24 KB in a row instead of a thousand objects. */
  #moments = new Float64Array(0);
  /** Of engines that were left out of the last look. */
  readonly #leftOut = new WeakMap<Key, Float64Array>();
  #added = 0;

  constructor(intervals: CheckIntervals) {
    // An interval of 0 means as often as possible.
    this.#intervals = {
      healthIntervalMs: Math.max(1, intervals.healthIntervalMs),
      statsIntervalMs: Math.max(1, intervals.statsIntervalMs),
    };
  }

  /** Interval at which to ask what is due. */
  get lookMs(): number {
    const { healthIntervalMs, statsIntervalMs } = this.#intervals;
    const least = Math.min(healthIntervalMs, statsIntervalMs, deadIntervalMs);
    return Math.max(1, Math.min(lookMsMax, Math.floor(least / looksPerInterval)));
  }

  /**
   * Returns the checks to start now. An engine that is new here is due within its first intervals.
   *
   * @param engines All of them; an engine that was left out once keeps its moment.
   * @param dead Engines that are not live: their health is checked every second.
   */
  due(engines: ReadonlyMap<unknown, Key>, nowMs: number, dead: ReadonlySet<Key>): DueChecks<Key> {
    const { healthIntervalMs, statsIntervalMs } = this.#intervals;
    const [health, stats]: [Key[], Key[]] = [[], []];
    let left = this.#startsMax(engines.size);
    if (!this.#areLast(engines)) this.#follow(engines, nowMs);
    const [keys, moments] = [this.#keys, this.#moments];
    for (let i = 0, at = 0; i < keys.length; i++, at += momentsPerEngine) {
      const [healthDueMs, statsDueMs, deadDueMs] = [at, at + 1, at + 2];
      const isHealthDue =
        nowMs >= (moments[healthDueMs] as number) ||
        (dead.size > 0 && nowMs >= (moments[deadDueMs] as number) && dead.has(keys[i] as Key));
      if (left > 0 && isHealthDue) {
        left--;
        moments[deadDueMs] = nowMs + deadIntervalMs;
        moments[healthDueMs] = nextDue(moments[healthDueMs] as number, nowMs, healthIntervalMs);
        health.push(keys[i] as Key);
      }
      if (left > 0 && nowMs >= (moments[statsDueMs] as number)) {
        left--;
        moments[statsDueMs] = nextDue(moments[statsDueMs] as number, nowMs, statsIntervalMs);
        stats.push(keys[i] as Key);
      }
    }
    return { health, stats };
  }

  #areLast(engines: ReadonlyMap<unknown, Key>): boolean {
    const keys = this.#keys;
    if (engines.size !== keys.length) return false;
    let i = 0;
    for (const engine of engines.values()) if (engine !== keys[i++]) return false;
    return true;
  }

  /** Takes over the engines and their order; those that were there before keep their moments. */
  #follow(engines: ReadonlyMap<unknown, Key>, nowMs: number): void {
    for (const [i, key] of this.#keys.entries()) {
      const at = i * momentsPerEngine;
      this.#leftOut.set(key, this.#moments.slice(at, at + momentsPerEngine));
    }
    this.#keys = [...engines.values()];
    this.#moments = new Float64Array(this.#keys.length * momentsPerEngine);
    for (const [i, key] of this.#keys.entries()) {
      this.#moments.set(this.#leftOut.get(key) ?? this.#firstMoments(nowMs), i * momentsPerEngine);
      this.#leftOut.delete(key);
    }
  }

  #firstMoments(nowMs: number): readonly number[] {
    const { healthIntervalMs, statsIntervalMs } = this.#intervals;
    const phase = (this.#added++ * goldenShare) % 1;
    const statsPhase = healthIntervalMs === statsIntervalMs ? (phase + 0.5) % 1 : phase;
    return [
      nowMs + phase * healthIntervalMs,
      nowMs + statsPhase * statsIntervalMs,
      nowMs + deadIntervalMs,
    ];
  }

  #startsMax(engines: number): number {
    const { healthIntervalMs, statsIntervalMs } = this.#intervals;
    const perMs = 1 / Math.min(healthIntervalMs, deadIntervalMs) + 1 / statsIntervalMs;
    return Math.max(startsPerLookMin, Math.ceil(catchUpFactor * engines * perMs * this.lookMs));
  }
}

/** The next moment of the same phase after now; moments that were missed are left out. */
function nextDue(dueMs: number, nowMs: number, intervalMs: number): number {
  if (nowMs < dueMs) return dueMs;
  return dueMs + intervalMs * (Math.floor((nowMs - dueMs) / intervalMs) + 1);
}
