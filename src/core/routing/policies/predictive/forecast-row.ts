// The numbers of engines that picks read, in rows side by side. V8 keeps each number of an object by
// itself, and a pick among a thousand engines would wait for memory far longer than it computes.
import { ageSpeed, type SpeedLine, secondsOfSpeed, speedLength } from './prefill-speed.ts';

// Places in a row, after those of the speed.
const freeAt = speedLength;
const countsDownUntil = speedLength + 1;
const foreignFreeAt = speedLength + 2;
const foreignKnownUntil = speedLength + 3;
const queued = speedLength + 4;
const running = speedLength + 5;
const contextRead = speedLength + 6;
const room = speedLength + 7;
const assigned = speedLength + 8;
const assignedAt = speedLength + 9;
const rowLength = speedLength + 10;

/** Token budget of a step (`max_num_batched_tokens`) on an H100; a longer prefill takes more. */
const stepTokens = 8192;
/** Reading the KV of one context token once: 147 kB (Qwen3-8B) at 3.35 TB/s (H100). */
export const readSecondsPerToken = 45e-9;
/** What was assigned counts half after this time: about as long as a cache remembers. */
const assignedHalfLifeSeconds = 600;

/** What changes with what is sent and answered; written down at each change. */
export interface NotedLoad {
  /** When the engine has done all prefill that was sent from here. */
  readonly freeAtSeconds: number;
  /** Until then that holds, if nobody comes or goes. */
  readonly countsDownUntilSeconds: number;
  /** The same of what others sent. */
  readonly foreignFreeAtSeconds: number;
  readonly foreignKnownUntilSeconds: number;
  /** Requests in prefill, or waiting for it. */
  readonly queued: number;
  /** Requests past their prefill. */
  readonly running: number;
  /** What reading the context of all requests adds to a step. */
  readonly contextReadSeconds: number;
  /** Tokens that surely fit into the KV cache now. */
  readonly roomTokens: number;
}

/** Rows that come and go. Grows to as many as there were engines at once. */
export class ForecastTable {
  numbers = new Float64Array(8 * rowLength);
  readonly #free: number[] = [];
  #length = 0;

  /** @returns Where a row of zeros begins in `numbers`, which may be another array from now on. */
  add(): number {
    const at = this.#free.pop() ?? this.#length;
    if (at === this.#length) this.#length += rowLength;
    if (this.#length > this.numbers.length) {
      const grown = new Float64Array(2 * this.numbers.length);
      grown.set(this.numbers);
      this.numbers = grown;
    }
    this.numbers.fill(0, at, at + rowLength);
    return at;
  }

  remove(at: number): void {
    this.#free.push(at);
  }
}

/** One row: that of an engine, or the one that a pick is at. */
export class ForecastRow {
  #table: ForecastTable;
  at: number;

  constructor(table: ForecastTable, at: number) {
    this.#table = table;
    this.at = at;
  }

  get numbers(): Float64Array {
    return this.#table.numbers;
  }

  /** Its numbers move to a table of their own, as somebody may still write them. */
  leave(): void {
    const own = new ForecastTable();
    const at = own.add();
    own.numbers.set(this.numbers.subarray(this.at, this.at + rowLength), at);
    this.#table.remove(this.at);
    this.#table = own;
    this.at = at;
  }

  note(load: NotedLoad): void {
    const { numbers, at } = this;
    numbers[at + freeAt] = load.freeAtSeconds;
    numbers[at + countsDownUntil] = load.countsDownUntilSeconds;
    numbers[at + foreignFreeAt] = load.foreignFreeAtSeconds;
    numbers[at + foreignKnownUntil] = load.foreignKnownUntilSeconds;
    numbers[at + queued] = load.queued;
    numbers[at + running] = load.running;
    numbers[at + contextRead] = load.contextReadSeconds;
    numbers[at + room] = load.roomTokens;
  }

  /** Prefill time is given to the engine. */
  assign(seconds: number, nowSeconds: number): void {
    const { numbers, at } = this;
    numbers[at + assigned] = this.assignedSeconds(nowSeconds) + seconds;
    // News of other routers is of moments that are past.
    numbers[at + assignedAt] = Math.max(nowSeconds, numbers[at + assignedAt] as number);
  }

  /** Prefill time given to the engine lately. */
  assignedSeconds(nowSeconds: number): number {
    const { numbers, at } = this;
    const seconds = numbers[at + assigned] as number;
    if (seconds === 0) return 0;
    const ago = Math.max(0, nowSeconds - (numbers[at + assignedAt] as number));
    return seconds * 0.5 ** (ago / assignedHalfLifeSeconds);
  }

  /** See `PrefillSpeed.age`. */
  age(nowSeconds: number, prior: SpeedLine): void {
    ageSpeed(this.numbers, this.at, nowSeconds, prior);
  }

  /** See `PrefillSpeed.secondsFor`. */
  secondsFor(tokens: number): number {
    return secondsOfSpeed(this.numbers, this.at, tokens);
  }

  /** Seconds until the engine begins with a request that joins now; undefined if the engine is to be asked. */
  waitSeconds(nowSeconds: number): number | undefined {
    const { numbers, at } = this;
    if (nowSeconds > (numbers[at + countsDownUntil] as number)) return undefined;
    if (nowSeconds > (numbers[at + foreignKnownUntil] as number)) return undefined;
    const free = Math.max(numbers[at + freeAt] as number, numbers[at + foreignFreeAt] as number);
    return Math.max(0, free - nowSeconds);
  }

  /** Requests in prefill, or waiting for it. */
  get queuedRequests(): number {
    return this.numbers[this.at + queued] as number;
  }

  /** Whether a prompt surely fits into the KV cache now. */
  hasRoom(tokens: number): boolean {
    return tokens < (this.numbers[this.at + room] as number);
  }

  /** What the running requests add to the steps of a prefill. */
  interferenceSeconds(uncachedTokens: number): number {
    return (this.numbers[this.at + contextRead] as number) * (1 + uncachedTokens / stepTokens);
  }

  /**
   * Delay of output tokens, summed over requests, if this prompt joined: its prefill holds up
   * those that run; each of its own steps reads their context; and each of theirs, for the half of
   * their output that is left on average, reads its context.
   */
  decodeDelaySeconds(prefillSeconds: number, promptTokens: number, outputTokens: number): number {
    const { numbers, at } = this;
    const runningRequests = numbers[at + running] as number;
    const ownReadSeconds = readSecondsPerToken * promptTokens;
    return (
      prefillSeconds * runningRequests +
      (numbers[at + contextRead] as number) * outputTokens +
      (ownReadSeconds * runningRequests * outputTokens) / 2
    );
  }
}
