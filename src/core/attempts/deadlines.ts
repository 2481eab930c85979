// How long a request may wait for each part of its response, and the watch over all requests of a router.
import { type Clock, type Linked, LinkedList } from '../base/index.ts';
import { type DeadlineSettings, defaultDeadlines } from './deadline-settings.ts';
import { EngineProgress } from './engine-progress.ts';
import { FailingEngines } from './failing-engines.ts';

/** A first byte may take this many times the predicted time, and never has less than the minimum. */
const firstByteFactor = 8;
const firstByteSecondsMin = 15;
/** Deadline of a first byte without a prediction: the time after which OpenAI's clients give up. */
const unpredictedFirstByteSeconds = 600;

/**
 * Returns the time that an engine has for the first byte.
 *
 * @param predictedSeconds What the policy expects, queue included; undefined if it cannot know.
 */
export function firstByteSeconds(
  setting: DeadlineSettings['firstByteSeconds'],
  predictedSeconds: number | undefined,
): number {
  if (setting !== 'predicted') return setting;
  if (predictedSeconds === undefined) return unpredictedFirstByteSeconds;
  return Math.max(firstByteSecondsMin, firstByteFactor * predictedSeconds);
}

/** How long a client waits, from the arrival of its request; Infinity if it does not say. */
export interface ClientPatience {
  /** For the whole response. */
  readonly totalSeconds: number;
  /** For the first byte. */
  readonly firstByteSeconds: number;
}

export const endlessPatience: ClientPatience = {
  totalSeconds: Number.POSITIVE_INFINITY,
  firstByteSeconds: Number.POSITIVE_INFINITY,
};

/** A request whose deadlines are checked. */
export interface Watched extends Linked<Watched> {
  /** Reports to its engine's progress. */
  look(nowSeconds: number): void;
  check(nowSeconds: number): void;
}

/**
 * Checks the deadlines of all requests of a router. The driver calls `check` a few times a second: one timer
 * for all requests, and nothing per token.
 *
 * Holds the requests between arrival and end, as many as the router has admitted.
 */
export class AttemptWatch {
  readonly settings: DeadlineSettings;
  /** Engines that failed requests of this router. */
  readonly failing = new FailingEngines();
  /** Requests without an attempt that wait; see `RequestWait`. */
  waiting = 0;
  readonly #clock: Clock;
  readonly #watched = new LinkedList<Watched>();
  /** By URL; only engines with requests. */
  readonly #engines = new Map<string, EngineProgress>();
  readonly #engineWedged: ((url: string, seconds: number) => void) | undefined;

  /**
   * @param clock Should stand still while the process is paused, so that a pause is no engine's delay.
   * @param engineWedged Called when no stream of an engine has had data for some seconds, before its requests
   *   move elsewhere.
   */
  constructor(
    clock: Clock,
    settings: Partial<DeadlineSettings> = {},
    engineWedged?: (url: string, seconds: number) => void,
  ) {
    this.#clock = clock;
    this.#engineWedged = engineWedged;
    this.settings = { ...defaultDeadlines, ...settings };
  }

  get nowSeconds(): number {
    return this.#clock.nowSeconds();
  }

  /**
   * What another router saw of an engine.
   *
   * @param outcome `broke`: it failed after it had received the request.
   * @param tookSeconds From the sending of the request.
   */
  heard(url: string, outcome: 'completed' | 'broke', tookSeconds: number): void {
    const { nowSeconds } = this;
    if (outcome === 'broke') this.failing.failedElsewhere(url, nowSeconds);
    else this.failing.completedElsewhere(url, nowSeconds - tookSeconds);
  }

  /** Number of requests that have arrived and not ended. */
  get size(): number {
    return this.#watched.length;
  }

  add(watched: Watched): void {
    this.#watched.add(watched);
  }

  delete(watched: Watched): void {
    this.#watched.remove(watched);
  }

  /** The progress of an engine that has a request. */
  engine(url: string): EngineProgress {
    let engine = this.#engines.get(url);
    if (engine === undefined) {
      engine = new EngineProgress(url, this.nowSeconds);
      this.#engines.set(url, engine);
    }
    return engine;
  }

  /** Checks the engines, then all deadlines. */
  check(): void {
    const { nowSeconds, settings } = this;
    this.failing.forgetOld(nowSeconds);
    for (const watched of this.#watched.items()) watched.look(nowSeconds);
    for (const engine of this.#engines.values()) {
      const { url, quietSinceSeconds } = engine;
      if (!engine.decide(nowSeconds, settings)) this.#engines.delete(url);
      else if (engine.isWedged) this.#engineWedged?.(url, nowSeconds - quietSinceSeconds);
    }
    for (const watched of this.#watched.items()) watched.check(nowSeconds);
  }
}
