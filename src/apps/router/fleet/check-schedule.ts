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

interface Slot {
  healthAtMs: number;
  healthDueMs: number;
  statsDueMs: number;
}

/**
 * Decides what is due. An engine's metrics are read half an interval after its health check where the two
 * intervals are equal, so that a connection is used twice as often and stays open: engines close idle ones.
 *
 * @example
 * const schedule = new CheckSchedule<Engine>({ healthIntervalMs: 5000, statsIntervalMs: 5000 });
 * setInterval(() => {
 *   const { health, stats } = schedule.due(engines, performance.now(), isDead);
 * }, schedule.lookMs);
 */
export class CheckSchedule<Key extends object> {
  readonly #intervals: CheckIntervals;
  readonly #slots = new WeakMap<Key, Slot>();
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
   * @param isDead Whether an engine is dead: its health is then checked every second.
   */
  due(
    engines: ReadonlyMap<unknown, Key>,
    nowMs: number,
    isDead: (engine: Key) => boolean,
  ): DueChecks<Key> {
    const { healthIntervalMs, statsIntervalMs } = this.#intervals;
    const [health, stats]: [Key[], Key[]] = [[], []];
    let left = this.#startsMax(engines.size);
    for (const engine of engines.values()) {
      const slot = this.#slots.get(engine) ?? this.#newSlot(engine, nowMs);
      const isHealthDue =
        nowMs >= slot.healthDueMs || (nowMs - slot.healthAtMs >= deadIntervalMs && isDead(engine));
      if (left > 0 && isHealthDue) {
        left--;
        slot.healthAtMs = nowMs;
        slot.healthDueMs = nextDue(slot.healthDueMs, nowMs, healthIntervalMs);
        health.push(engine);
      }
      if (left > 0 && nowMs >= slot.statsDueMs) {
        left--;
        slot.statsDueMs = nextDue(slot.statsDueMs, nowMs, statsIntervalMs);
        stats.push(engine);
      }
    }
    return { health, stats };
  }

  #newSlot(engine: Key, nowMs: number): Slot {
    const { healthIntervalMs, statsIntervalMs } = this.#intervals;
    const phase = (this.#added++ * goldenShare) % 1;
    const statsPhase = healthIntervalMs === statsIntervalMs ? (phase + 0.5) % 1 : phase;
    const slot = {
      healthAtMs: nowMs,
      healthDueMs: nowMs + phase * healthIntervalMs,
      statsDueMs: nowMs + statsPhase * statsIntervalMs,
    };
    this.#slots.set(engine, slot);
    return slot;
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
