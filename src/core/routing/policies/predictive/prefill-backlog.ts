// How long an engine needs for the prefill that it already has: a queue on paper, corrected by
// every first byte.

/**
 * What another router tells comes late by a turn of the event loop on either side and a hop: milliseconds,
 * or tens of them while a large body is read. Judgement; news that is later than this makes engines
 * look faster than they are.
 */
export const newsSecondsMax = 0.05;

interface Entry {
  readonly seconds: number;
  /** Whether its first byte will tell the end of its prefill. */
  readonly watched: boolean;
  /** When its prefill should end. */
  dueSeconds: number;
}

/**
 * Engines prefill first come, first served, so what is ahead of a new request is the rest of what
 * was sent before. Each request is booked for the seconds it should take; its first byte tells
 * whether the engine is ahead of the book or behind, and the book follows.
 *
 * Entries are attempts without a first byte: as many as the router has in flight there.
 */
export class PrefillBacklog<Key extends object> {
  /** In the order sent. */
  readonly #entries = new Map<Key, Entry>();
  /** When the last of them should end. */
  #freeAtSeconds = 0;
  #lastFirstByteSeconds = Number.NEGATIVE_INFINITY;

  /** Requests that are taken to be in prefill, or waiting for it. */
  get length(): number {
    return this.#entries.size;
  }

  /** When the last of them should end. */
  get freeAtSeconds(): number {
    return this.#freeAtSeconds;
  }

  /** Until then, if nobody comes or goes, `waitSeconds` counts down to `freeAtSeconds`. */
  get countsDownUntilSeconds(): number {
    for (const { dueSeconds } of this.#entries.values()) return dueSeconds;
    return Number.POSITIVE_INFINITY;
  }

  /** Their keys. */
  keys(): Iterable<Key> {
    return this.#entries.keys();
  }

  /**
   * Books a request.
   *
   * @param key The attempt; used to find it again.
   * @param seconds Prefill time that it should take by itself.
   * @param watched Whether its first byte will tell the end of its prefill; not so without
   *   streaming. An unwatched request is taken to end when the book says.
   */
  add(key: Key, seconds: number, nowSeconds: number, watched: boolean): void {
    this.#freeAtSeconds = Math.max(this.#freeAtSeconds, nowSeconds) + seconds;
    this.#entries.set(key, { seconds, watched, dueSeconds: this.#freeAtSeconds });
  }

  /**
   * The first byte came.
   *
   * @returns Seconds since the engine could begin with this request: since it was sent, or since
   *   the first byte before it. Undefined if the request was not booked, or if that was long before
   *   the last first byte that is known of.
   */
  firstByte(key: Key, sentSecondsAgo: number, nowSeconds: number): number | undefined {
    if (!this.#entries.delete(key)) return undefined;
    const lastSeconds = this.#lastFirstByteSeconds;
    this.#lastFirstByteSeconds = Math.max(nowSeconds, lastSeconds);
    this.#rebook(this.#lastFirstByteSeconds);
    if (nowSeconds < lastSeconds - newsSecondsMax) return undefined;
    const beganSeconds = Math.max(nowSeconds - sentSecondsAgo, lastSeconds);
    return Math.max(0, nowSeconds - beganSeconds);
  }

  /** The request ended without a first byte; its place in the queue is free. */
  drop(key: Key, nowSeconds: number): void {
    const entry = this.#entries.get(key);
    if (!entry) return;
    this.#entries.delete(key);
    this.#freeAtSeconds = Math.max(nowSeconds, this.#freeAtSeconds - entry.seconds);
  }

  /**
   * Seconds until a request that joins now begins. If the oldest first byte is overdue, something
   * that the book does not know holds the engine up (a full KV cache, a hang); it is assumed to
   * last as long again as it has lasted.
   */
  waitSeconds(nowSeconds: number): number {
    for (const [key, entry] of this.#entries) {
      const overdue = nowSeconds - entry.dueSeconds;
      if (overdue <= 0) break;
      if (entry.watched) return Math.max(0, this.#freeAtSeconds - nowSeconds) + overdue;
      this.#entries.delete(key);
    }
    return Math.max(0, this.#freeAtSeconds - nowSeconds);
  }

  /** Whatever the book said, the engine now begins with what is left. */
  #rebook(nowSeconds: number): void {
    let due = nowSeconds;
    for (const entry of this.#entries.values()) {
      due += entry.seconds;
      entry.dueSeconds = due;
    }
    this.#freeAtSeconds = due;
  }
}
