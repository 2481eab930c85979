// Predicts how long an engine needs for its queued prefill; every first byte corrects the prediction.
import { type Linked, LinkedList } from '../../../base/index.ts';

/**
 * Maximum delay of updates from peer routers. They are late by a turn of the event loop on either side and
 * a network hop: milliseconds, or tens of them while a large body is read. A judgement; with later updates,
 * engines look faster than they are.
 */
export const updateSecondsMax = 0.05;

/** What is queued. */
export interface PrefillKey {
  /** Its place in the backlog, which alone changes it; undefined if it is not queued. */
  queued: PrefillEntry<PrefillKey> | undefined;
}

interface PrefillEntry<Key> extends Linked<PrefillEntry<Key>> {
  readonly key: Key;
  readonly seconds: number;
  /** Whether its first byte will mark the end of its prefill. */
  readonly watched: boolean;
  /** When its prefill should end. */
  dueSeconds: number;
}

/**
 * Engines prefill first come, first served, so the work ahead of a new request is the rest of what was sent
 * before. Each request is queued with its predicted seconds. Its first byte shows whether the engine is
 * faster or slower than predicted, and moves the predictions for the rest of the queue.
 *
 * Entries are attempts without a first byte: as many as the router has in flight there.
 */
export class PrefillBacklog<Key extends PrefillKey> {
  /** In the order sent. */
  readonly #entries = new LinkedList<PrefillEntry<Key>>();
  /** Predicted end of the last of them. */
  #freeAtSeconds = 0;
  #lastFirstByteSeconds = Number.NEGATIVE_INFINITY;

  /** Number of requests that are assumed to be in prefill or waiting for it. */
  get length(): number {
    return this.#entries.length;
  }

  /** Predicted end of the last of them. */
  get freeAtSeconds(): number {
    return this.#freeAtSeconds;
  }

  /** Until when `waitSeconds` counts down to `freeAtSeconds` if no request joins or leaves. */
  get countsDownUntilSeconds(): number {
    return this.#entries.first?.dueSeconds ?? Number.POSITIVE_INFINITY;
  }

  /** Their keys. */
  keys(): Key[] {
    return this.#entries.items().map(({ key }) => key);
  }

  /**
   * Queues a request.
   *
   * @param key The attempt, which is not queued.
   * @param seconds Predicted time of its own prefill.
   * @param watched Whether its first byte will mark the end of its prefill; false without streaming. An
   *   unwatched request is assumed to end when predicted.
   */
  add(key: Key, seconds: number, nowSeconds: number, watched: boolean): void {
    this.#freeAtSeconds = Math.max(this.#freeAtSeconds, nowSeconds) + seconds;
    const dueSeconds = this.#freeAtSeconds;
    const entry = { key, seconds, watched, dueSeconds, previous: undefined, next: undefined };
    key.queued = entry;
    this.#entries.add(entry);
  }

  /**
   * The first byte arrived.
   *
   * @returns Seconds since the engine could start this request: since it was sent, or since the previous
   *   first byte. Undefined if the request was not queued, or if its first byte came long before the last
   *   one that is known.
   */
  firstByte(key: Key, sentSecondsAgo: number, nowSeconds: number): number | undefined {
    if (this.#remove(key) === undefined) return undefined;
    const lastSeconds = this.#lastFirstByteSeconds;
    this.#lastFirstByteSeconds = Math.max(nowSeconds, lastSeconds);
    this.#predictFrom(this.#lastFirstByteSeconds);
    if (nowSeconds < lastSeconds - updateSecondsMax) return undefined;
    const beganSeconds = Math.max(nowSeconds - sentSecondsAgo, lastSeconds);
    return Math.max(0, nowSeconds - beganSeconds);
  }

  /** The request ended without a first byte; its place in the queue is free. */
  drop(key: Key, nowSeconds: number): void {
    const entry = this.#remove(key);
    if (entry === undefined) return;
    this.#freeAtSeconds = Math.max(nowSeconds, this.#freeAtSeconds - entry.seconds);
  }

  /**
   * Seconds until the prefill of a request that joins now starts. If the oldest first byte is overdue,
   * something unknown delays the engine (a full KV cache, a hang), which is assumed to last as long again as
   * it has lasted.
   */
  waitSeconds(nowSeconds: number): number {
    for (;;) {
      const { first } = this.#entries;
      if (first === undefined) break;
      const overdue = nowSeconds - first.dueSeconds;
      if (overdue <= 0) break;
      if (first.watched) return Math.max(0, this.#freeAtSeconds - nowSeconds) + overdue;
      this.#remove(first.key);
    }
    return Math.max(0, this.#freeAtSeconds - nowSeconds);
  }

  /** Predicts the rest of the queue anew, as if the engine started it now. */
  #predictFrom(nowSeconds: number): void {
    let due = nowSeconds;
    for (let entry = this.#entries.first; entry !== undefined; entry = entry.next) {
      due += entry.seconds;
      entry.dueSeconds = due;
    }
    this.#freeAtSeconds = due;
  }

  /** @returns Its entry; undefined if it is not queued. */
  #remove(key: Key): PrefillEntry<PrefillKey> | undefined {
    const entry = key.queued;
    if (entry === undefined) return undefined;
    key.queued = undefined;
    this.#entries.remove(entry as PrefillEntry<Key>);
    return entry;
  }
}
