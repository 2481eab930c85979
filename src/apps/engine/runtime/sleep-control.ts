// Pausing and sleeping as in vLLM's engine process: the requested operation and the current state.

/** How running requests are treated: ended, waited for, or frozen until the engine resumes. */
export const pauseModes = ['abort', 'wait', 'keep'] as const;
export type PauseMode = (typeof pauseModes)[number];

/** 0 pauses; 1 moves the weights to host memory and drops the KV cache; 2 drops both. */
export type SleepLevel = 0 | 1 | 2;

/** The operations of the engine that pausing needs. */
export interface Pausable {
  /** Ends all requests as aborted. */
  abortAll(): void;
  /** Stops admission (`new`) or all planning (`all`). */
  pause(what: 'new' | 'all'): void;
  resume(): void;
  /** Resolves between two steps. */
  betweenSteps(): Promise<void>;
  /** Resolves when nothing is left to do; `abort` and `keep` reach this at once. */
  idle(): Promise<void>;
  /** Empties the prefix cache; running requests start over. */
  resetCaches(): void;
  /** Whether there are running requests, frozen or not. */
  hasRunning(): boolean;
}

/** Memory that sleep releases, with vLLM's names. */
const sleepTags = ['weights', 'kv_cache'];

/**
 * vLLM's states: whether it is paused, and which memory is asleep. Nothing here takes time: moving
 * weights is not emulated.
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

  /** Resolves once requests are handled as `mode` specifies. */
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
    // Weights that are already asleep are not put to sleep again.
    if (level === 0 || this.#asleep.has('weights')) return;
    for (const tag of sleepTags) this.#asleep.add(tag);
  }

  /**
   * @param tags What to wake up; all when undefined. `scheduling` alone restores no memory.
   * @returns Whether all memory is restored, and with it the scheduling.
   */
  wakeUp(tags: readonly string[] | undefined): boolean {
    const memory = tags?.filter((tag) => tag !== 'scheduling');
    // With an unknown tag nothing is woken up.
    if (memory === undefined) this.#asleep.clear();
    else if (memory.every((tag) => this.#asleep.has(tag))) {
      for (const tag of memory) this.#asleep.delete(tag);
    }
    if (this.#asleep.size > 0) return false;
    this.resume();
    return true;
  }

  /** @returns vLLM's message why it is not possible; undefined on success. */
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
