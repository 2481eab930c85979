// The numbers that picks read, one row per engine in one array. V8 stores each number of an object
// separately, so a pick among a thousand engines would wait for memory far longer than it computes.
import { ageSpeed, type SpeedLine, secondsOfSpeed, speedLength } from './prefill-speed.ts';

// Offsets in a row, after those of the speed.
const freeAt = speedLength;
const countsDownUntil = speedLength + 1;
const foreignFreeAt = speedLength + 2;
const foreignKnownUntil = speedLength + 3;
const queued = speedLength + 4;
const inflight = speedLength + 5;
const contextRead = speedLength + 6;
const room = speedLength + 7;
const assigned = speedLength + 8;
const assignedAt = speedLength + 9;
const retryAt = speedLength + 10;
const doubt = speedLength + 11;
const lastPick = speedLength + 12;
const lastPickAt = speedLength + 13;
const spare = speedLength + 14;
const rowLength = speedLength + 15;

/** Token budget of a step (`max_num_batched_tokens`) on an H100; a longer prefill takes more. */
const stepTokens = 8192;
/** Reading the KV of one context token once: 147 kB (Qwen3-8B) at 3.35 TB/s (H100). */
export const readSecondsPerToken = 45e-9;
/** Half-life of assigned prefill: about the time that a cache keeps its blocks. */
const assignedHalfLifeSeconds = 600;
/** An engine with its fair share gets none of five picks per engine with a chance of 0.7 %. */
const passedOverPicksPerEngine = 5;
/** In a burst on one prefix, the engines that have it get all requests for a while. */
const passedOverSecondsMin = 5;

/** State that changes with each request and response; written at each change. */
export interface NotedLoad {
  /** When the engine completes all prefill sent by this router. */
  readonly freeAtSeconds: number;
  /** Until when `freeAtSeconds` is valid if no request joins or leaves. */
  readonly countsDownUntilSeconds: number;
  /** When the engine completes the prefill of other routers too. */
  readonly foreignFreeAtSeconds: number;
  /** Until when that is valid. */
  readonly foreignKnownUntilSeconds: number;
  /** Requests in prefill or waiting for it. */
  readonly queued: number;
  /** Requests in prefill, waiting for it or in decode. */
  readonly inflight: number;
  /** Time that a step spends on reading the context of all requests. */
  readonly contextReadSeconds: number;
  /** Tokens that certainly fit into the KV cache now. */
  readonly roomTokens: number;
  /** Those that fit without evicting prompts that are expected to be asked for again. */
  readonly spareTokens: number;
}

/** Reusable rows. Grows to the maximum number of concurrent engines. */
export class ForecastTable {
  numbers = new Float64Array(8 * rowLength);
  readonly #free: number[] = [];
  #length = 0;

  /** @returns Offset of a row of zeros in `numbers`, which may be replaced by a larger array. */
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

/** One row: that of an engine, or a cursor that a pick moves over the table. */
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

  /** Moves its numbers to a separate table, because attempts in flight may still write them. */
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
    numbers[at + inflight] = load.inflight;
    numbers[at + contextRead] = load.contextReadSeconds;
    numbers[at + room] = load.roomTokens;
    numbers[at + spare] = load.spareTokens;
  }

  /** Adds prefill time that the engine was assigned. */
  assign(seconds: number, nowSeconds: number): void {
    const { numbers, at } = this;
    numbers[at + assigned] = this.assignedSeconds(nowSeconds) + seconds;
    // Updates of peer routers are about the past.
    numbers[at + assignedAt] = Math.max(nowSeconds, numbers[at + assignedAt] as number);
  }

  /** Takes back what was assigned and not done. */
  unassign(seconds: number, nowSeconds: number): void {
    this.assign(-Math.min(seconds, this.assignedSeconds(nowSeconds)), nowSeconds);
  }

  /** Counts the engine as having been assigned at least so much recently. */
  raiseAssigned(seconds: number, nowSeconds: number): void {
    const missing = seconds - this.assignedSeconds(nowSeconds);
    if (missing > 0) this.assign(missing, nowSeconds);
  }

  /** Prefill time assigned to the engine recently, decayed to now. */
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

  /**
   * Seconds until the engine starts a request that joins now; undefined if the row is out of date and
   * `EngineForecast.waitSeconds` must compute it.
   */
  waitSeconds(nowSeconds: number): number | undefined {
    const { numbers, at } = this;
    if (nowSeconds > (numbers[at + countsDownUntil] as number)) return undefined;
    if (nowSeconds > (numbers[at + foreignKnownUntil] as number)) return undefined;
    const free = Math.max(numbers[at + freeAt] as number, numbers[at + foreignFreeAt] as number);
    return Math.max(0, free - nowSeconds);
  }

  /** When an engine that was much slower than others is to be tried again; Infinity for all others. */
  get retryAtSeconds(): number {
    return this.numbers[this.at + retryAt] as number;
  }

  set retryAtSeconds(seconds: number) {
    this.numbers[this.at + retryAt] = seconds;
  }

  /** Number of the last pick of this engine, among those of all engines. */
  get lastPick(): number {
    return this.numbers[this.at + lastPick] as number;
  }

  /** When that was. */
  get lastPickSeconds(): number {
    return this.numbers[this.at + lastPickAt] as number;
  }

  /** Whether the engine got none of so many picks that chance is no explanation. */
  wasPassedOver(picks: number, engines: number, nowSeconds: number): boolean {
    return (
      nowSeconds - this.lastPickSeconds >= passedOverSecondsMin &&
      picks - this.lastPick >= passedOverPicksPerEngine * engines
    );
  }

  picked(number: number, nowSeconds: number): void {
    this.numbers[this.at + lastPick] = number;
    this.numbers[this.at + lastPickAt] = nowSeconds;
  }

  /** Of an engine that is tried again: how many times slower than others it was. Otherwise 0. */
  get doubt(): number {
    return this.numbers[this.at + doubt] as number;
  }

  set doubt(ratio: number) {
    this.numbers[this.at + doubt] = ratio;
  }

  /** Requests in prefill or waiting for it. */
  get queuedRequests(): number {
    return this.numbers[this.at + queued] as number;
  }

  /** Requests in prefill, waiting for it or in decode. */
  get inflightRequests(): number {
    return this.numbers[this.at + inflight] as number;
  }

  /** Whether a prompt certainly fits into the KV cache now. */
  hasRoom(tokens: number): boolean {
    return tokens < (this.numbers[this.at + room] as number);
  }

  /**
   * Tokens that fit into the KV cache without evicting prompts that are expected to be asked for again. Negative if
   * such prompts are being evicted already, -∞ if that is unknown.
   */
  get spareTokens(): number {
    return this.numbers[this.at + spare] as number;
  }

  /**
   * The part of a prompt for which the engine would have to evict what other requests will ask for. 0 if it
   * fits, and if such prefixes are being evicted anyway.
   */
  evictingShare(uncachedTokens: number): number {
    const { spareTokens } = this;
    return spareTokens < 0 ? 0 : Math.max(0, 1 - spareTokens / uncachedTokens);
  }

  /** Time that running requests add to the steps of a prefill. */
  interferenceSeconds(uncachedTokens: number): number {
    return (this.numbers[this.at + contextRead] as number) * (1 + uncachedTokens / stepTokens);
  }

  /**
   * Delay of output tokens, summed over requests, if this prompt joined: its prefill delays the requests
   * in flight, because those that wait for prefill now are ahead of it and decode by then; each of its decode
   * steps reads their context; and their steps read its context, for the half of their output that remains
   * on average.
   */
  decodeDelaySeconds(prefillSeconds: number, promptTokens: number, outputTokens: number): number {
    const { numbers, at, inflightRequests: others } = this;
    const ownReadSeconds = readSecondsPerToken * promptTokens;
    return (
      prefillSeconds * others +
      (numbers[at + contextRead] as number) * outputTokens +
      (ownReadSeconds * others * outputTokens) / 2
    );
  }
}
