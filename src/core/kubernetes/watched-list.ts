// Follows one list of an API server: a list, then watches from where it ended, and a new list where a watch cannot go
// on. It decides what to do next; whoever has the sockets does it.
import type { Clock, Random } from '../base/index.ts';
import type { ListPage, WatchEvent } from './api-objects.ts';

export type ListStep =
  | { readonly kind: 'list'; readonly pauseSeconds: number }
  | {
      readonly kind: 'watch';
      readonly pauseSeconds: number;
      readonly resourceVersion: string;
      /** After this time the server ends the watch. */
      readonly timeoutSeconds: number;
    };

/**
 * How a step ended. `over`: as asked. `lost`: the server or the connection failed; the state reached counts. `stale`: the
 * watch cannot go on from there (status 410, garbage, silence past its end), so that a list is needed.
 */
export type StepEnd = 'over' | 'lost' | 'stale';

export interface WatchedListOptions {
  readonly clock: Clock;
  readonly random: Random;
  /** Length of a watch. @default between 45 and 75 s, drawn for each */
  readonly watchSeconds?: number | undefined;
  /** @default objectsMax */
  readonly objectsMax?: number | undefined;
}

/** Largest number of objects of one list. A larger one is an error, and the last list stays. */
export const objectsMax = 16_384;
/**
 * Default length of a watch. A renewed one delivers what an unnoticed break of its connection has hidden, and costs the
 * API server next to nothing.
 */
const watchSecondsDefault = { min: 45, max: 75 };
/** Time after which everything is listed again, in case the API server has not sent an event. */
const relistSeconds = 300;
/** A watch that has lasted this long, or nearly as long as asked, was a success. */
const stableSecondsMax = 5;
const stableShare = 0.8;
/**
 * Pauses before further attempts: none before the first, then twice the last up to the maximum, of which half is drawn.
 * With 5 s, engines are known again 5 s after the API server has come back; one request in 5 s is no load to it.
 */
const pauseSeconds = { first: 0.1, max: 5 };
/** Longest pause that a server may ask for with `Retry-After`. */
const retryAfterSecondsMax = 30;

/**
 * @example
 * const list = new WatchedList<EnginePod>({ clock, random });
 * const step = list.next(); // { kind: 'list', pauseSeconds: 0 }
 * list.served();
 * list.addPage(page);       // until there is no further page
 * list.end('over');
 * list.next();              // { kind: 'watch', … }
 */
export class WatchedList<T> {
  readonly #options: WatchedListOptions;
  #objects = new Map<string, T>();
  /** The pages of a list that is not complete yet. */
  #arriving = new Map<string, T>();
  #arrivingVersion = '';
  /** From where a watch goes on; undefined if a list is needed. */
  #version: string | undefined;
  #isListed = false;
  #listedAtSeconds = 0;
  #stepAtSeconds = 0;
  #step: ListStep['kind'] = 'list';
  #stableSeconds = 0;
  #isServed = false;
  /** Steps in a row that the server did not serve. */
  #unserved = 0;
  /** Watches in a row that were served and ended too soon: each may cost a list. */
  #shortLived = 0;
  #retryAfterSeconds = 0;

  constructor(options: WatchedListOptions) {
    this.#options = options;
  }

  /** By `namespace/name`. */
  get objects(): ReadonlyMap<string, T> {
    return this.#objects;
  }

  /** Whether a whole list has been read. */
  get isListed(): boolean {
    return this.#isListed;
  }

  /** Begins the next step. */
  next(): ListStep {
    const { clock, random, watchSeconds } = this.#options;
    const now = clock.nowSeconds();
    const pause = Math.max(this.#pauseSeconds(), this.#retryAfterSeconds);
    this.#retryAfterSeconds = 0;
    this.#stepAtSeconds = now + pause;
    this.#isServed = false;
    if (this.#version !== undefined && now - this.#listedAtSeconds < relistSeconds) {
      this.#step = 'watch';
      const { min, max } = watchSecondsDefault;
      const timeoutSeconds = watchSeconds ?? Math.round(min + random.next() * (max - min));
      this.#stableSeconds = Math.min(stableSecondsMax, stableShare * timeoutSeconds);
      return {
        ...{ kind: 'watch', pauseSeconds: pause, timeoutSeconds },
        resourceVersion: this.#version,
      };
    }
    this.#step = 'list';
    this.#arriving = new Map();
    return { kind: 'list', pauseSeconds: pause };
  }

  /** The server serves the step: it sends a page or the events of a watch, or says that the version is too old. */
  served(): void {
    this.#unserved = 0;
    this.#isServed = true;
  }

  /**
   * Adds a page to the list that is being read; it counts once the step is `over`.
   *
   * @throws {RangeError} If there are too many objects.
   */
  addPage({ objects, resourceVersion }: ListPage<T>): void {
    const { objectsMax: most = objectsMax } = this.#options;
    for (const [key, object] of objects) {
      this.#arriving.set(key, object);
      if (this.#arriving.size > most) throw tooMany(most);
    }
    this.#arrivingVersion = resourceVersion;
  }

  /**
   * Applies an event of the watch. An error event changes nothing: end the step with `stale`.
   *
   * @throws {RangeError} If there are too many objects.
   */
  apply(event: WatchEvent<T>): void {
    if (event.kind === 'error') return;
    const { objectsMax: most = objectsMax } = this.#options;
    if (event.kind === 'applied') {
      if (this.#objects.size >= most && !this.#objects.has(event.key)) throw tooMany(most);
      this.#objects.set(event.key, event.object);
    }
    if (event.kind === 'deleted') this.#objects.delete(event.key);
    this.#version = event.resourceVersion;
  }

  /** @param retryAfterSeconds What the server asked for. */
  end(how: StepEnd, retryAfterSeconds = 0): void {
    const { clock } = this.#options;
    const now = clock.nowSeconds();
    this.#retryAfterSeconds = Math.min(retryAfterSeconds, retryAfterSecondsMax);
    if (!this.#isServed) this.#unserved++;
    if (this.#step === 'watch') {
      const isStable = now - this.#stepAtSeconds >= this.#stableSeconds;
      if (isStable) this.#shortLived = 0;
      if (this.#isServed && (!isStable || how === 'stale')) this.#shortLived++;
      if (how === 'stale') this.#version = undefined;
      return;
    }
    if (how !== 'over') {
      if (this.#isServed) this.#shortLived++;
      return;
    }
    this.#objects = this.#arriving;
    this.#arriving = new Map();
    this.#version = this.#arrivingVersion;
    this.#isListed = true;
    this.#listedAtSeconds = now;
  }

  #pauseSeconds(): number {
    const failures = Math.max(this.#unserved, this.#shortLived);
    if (failures < 2) return 0;
    const { first, max } = pauseSeconds;
    const pause = Math.min(max, first * 2 ** (failures - 2));
    return pause * (0.5 + 0.5 * this.#options.random.next());
  }
}

function tooMany(most: number): RangeError {
  return new RangeError(`the API server lists more than ${most} objects`);
}
