// Pausing and sleeping, as vLLM's engine process does both: what is asked for, and what state it is in.

/** What becomes of requests that run: ended, waited for, or frozen until the engine goes on. */
export const pauseModes = ['abort', 'wait', 'keep'] as const;
export type PauseMode = (typeof pauseModes)[number];

/** 0 pauses; 1 moves the weights to host memory and drops the KV cache; 2 drops both. */
export type SleepLevel = 0 | 1 | 2;

/** What is paused, and what it does to be so. */
export interface Pausable {
  /** Ends all requests as aborted. */
  abortAll(): void;
  /** Stops admitting `new` requests, or planning `all`. */
  pause(what: 'new' | 'all'): void;
  resume(): void;
  /** Resolves between two steps. */
  betweenSteps(): Promise<void>;
  /** Resolves when nothing is left to do, which `abort` and `keep` reach at once. */
  idle(): Promise<void>;
  /** Empties the prefix cache; what runs starts over. */
  resetCaches(): void;
  /** Whether requests run, frozen or not. */
  hasRunning(): boolean;
}

/** Memory that sleep takes away, by vLLM's names. */
const sleepTags = ['weights', 'kv_cache'];

/**
 * vLLM's states: paused or not, and which memory is asleep. Nothing here takes time: moving weights
 * is not emulated.
 *
 * @see vLLM 0.32, v1/engine/core.py and v1/executor/abstract.py
 */
export class SleepControl {
  readonly #engine: Pausable;
  readonly #asleep = new Set<string>();
  #paused: 'nothing' | 'new' | 'all' = 'nothing';

  constructor(engine: Pausable) {
    this.#engine = engine;
  }

  get isPaused(): boolean {
    return this.#paused !== 'nothing';
  }

  /** Also true of an engine that is only paused, as in vLLM. */
  get isSleeping(): boolean {
    return this.isPaused || this.#asleep.size > 0;
  }

  /** Resolves once requests are dealt with as `mode` says. */
  async pause(mode: PauseMode, clearsCache: boolean): Promise<void> {
    const engine = this.#engine;
    await engine.betweenSteps();
    if (mode === 'abort') engine.abortAll();
    this.#paused = mode === 'keep' ? 'all' : 'new';
    engine.pause(this.#paused);
    await engine.idle();
    if (clearsCache) engine.resetCaches();
  }

  resume(): void {
    this.#paused = 'nothing';
    this.#engine.resume();
  }

  async sleep(level: SleepLevel, mode: PauseMode): Promise<void> {
    await this.pause(mode, level >= 1);
    // One whose weights sleep already is not put to sleep twice.
    if (level === 0 || this.#asleep.has('weights')) return;
    for (const tag of sleepTags) this.#asleep.add(tag);
  }

  /**
   * @param tags What to bring back; all when undefined. `scheduling` alone brings back no memory.
   * @returns Whether all memory is back, and with it the scheduling.
   */
  wakeUp(tags: readonly string[] | undefined): boolean {
    const memory = tags?.filter((tag) => tag !== 'scheduling');
    // One unknown tag, and nothing is woken.
    if (memory === undefined) this.#asleep.clear();
    else if (memory.every((tag) => this.#asleep.has(tag))) {
      for (const tag of memory) this.#asleep.delete(tag);
    }
    if (this.#asleep.size > 0) return false;
    this.resume();
    return true;
  }

  /** @returns Why it cannot be done, in vLLM's words; undefined when it is. */
  releaseKvCache(): string | undefined {
    const isDone = this.#paused === 'all' || (this.isPaused && !this.#engine.hasRunning());
    if (!isDone) {
      return 'release_kv_cache_memory() requires a completed pause first';
    }
    if (this.#asleep.size > 0) {
      return 'release_kv_cache_memory() requires all executor memory to be resident';
    }
    this.#engine.resetCaches();
    this.#asleep.add('kv_cache');
    return undefined;
  }
}
