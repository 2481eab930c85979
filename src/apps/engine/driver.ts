// Runs the engine model on the wall clock.
import type { EngineModel, EngineRequest, EngineStep } from '../../core/engine/index.ts';

export interface DriverOptions<R extends EngineRequest> {
  readonly model: EngineModel;
  /** GPU seconds per wall second; Infinity runs as fast as the machine can. */
  readonly timeScale: number;
  /** Wall seconds, monotonic. */
  readonly wallSeconds: () => number;
  /** Samples one token of a request, at a time in GPU seconds; answers whether it ends. */
  readonly onToken: (request: R, nowSeconds: number) => boolean;
  /**
   * After each step, with the step just done; without one after requests were aborted between
   * steps, which vLLM follows by a step of no tokens.
   */
  readonly onStep: (step: EngineStep | undefined) => void;
  /** Nothing could be planned; transfers of KV tiers may have ended. */
  readonly onIdle?: () => void;
}

/** Steps are done this long at a time before sockets get their turn, in wall milliseconds. */
const burstMs = 8;

/**
 * Plays the model's steps when their time has come. Each step begins where the one before ended on
 * the model's own clock, never "now": a late timer makes one token late and not all that follow.
 * A request joins the first step that begins after its arrival, also when the driver is behind.
 */
export class Driver<R extends EngineRequest> {
  readonly #options: DriverOptions<R>;
  readonly #startWall: number;
  /** Arrived, but later than the step being played began. */
  readonly #arrivals: R[] = [];
  #step: EngineStep | undefined;
  /** Where the last step ended, GPU seconds. */
  #modelSeconds = 0;
  #timer: NodeJS.Timeout | undefined;
  #immediate: NodeJS.Immediate | undefined;
  #isClosed = false;
  #lagSeconds = 0;
  /** A request was aborted since the last step. */
  #hasAborted = false;
  /** Called when the step in flight is done. */
  readonly #betweenSteps: (() => void)[] = [];
  /** Called when there is no work left. */
  readonly #onIdle: (() => void)[] = [];

  constructor(options: DriverOptions<R>) {
    this.#options = options;
    this.#startWall = options.wallSeconds();
  }

  /** GPU seconds since the start. */
  nowSeconds(): number {
    const { timeScale, wallSeconds } = this.#options;
    return timeScale === Number.POSITIVE_INFINITY
      ? this.#modelSeconds
      : (wallSeconds() - this.#startWall) * timeScale;
  }

  /** How far the last step's tokens came after their time, wall seconds. */
  get lagSeconds(): number {
    return this.#lagSeconds;
  }

  add(request: R): void {
    this.#arrivals.push(request);
    if (this.#step === undefined) this.wake();
  }

  /** Frees what the request holds, at once. @returns False if it has ended already. */
  abort(request: R): boolean {
    const at = this.#arrivals.indexOf(request);
    if (at !== -1) {
      this.#arrivals.splice(at, 1);
      return true;
    }
    const wasThere = this.#options.model.abort(request.id);
    if (wasThere) {
      this.#hasAborted = true;
      this.wake();
    }
    return wasThere;
  }

  /** Resolves between two steps: at once if none is in flight. */
  betweenSteps(): Promise<void> {
    if (this.#step === undefined) return Promise.resolve();
    return new Promise((resolve) => this.#betweenSteps.push(resolve));
  }

  /** Resolves when the model finds nothing to do: no request runs, or what is there is paused. */
  idle(): Promise<void> {
    const idle = new Promise<void>((resolve) => this.#onIdle.push(resolve));
    this.wake();
    return idle;
  }

  /** Goes on after the model was resumed: the time that it was paused is over, not to be played. */
  resume(): void {
    if (this.#step === undefined)
      this.#modelSeconds = Math.max(this.#modelSeconds, this.nowSeconds());
    this.wake();
  }

  /** Looks for work. */
  wake(): void {
    if (this.#isClosed || this.#immediate !== undefined || this.#step !== undefined) return;
    // Not at once: requests of one burst of arrivals share a step.
    this.#immediate = setImmediate(() => {
      this.#immediate = undefined;
      this.#run();
    });
  }

  close(): void {
    this.#isClosed = true;
    clearTimeout(this.#timer);
    clearImmediate(this.#immediate);
    for (const resolve of [...this.#betweenSteps.splice(0), ...this.#onIdle.splice(0)]) resolve();
  }

  #run(): void {
    const { model, onToken, onStep, wallSeconds } = this.#options;
    const burstEnd = wallSeconds() + burstMs / 1000;
    while (!this.#isClosed) {
      const planned = this.#step === undefined ? this.#plan() : 'planned';
      if (planned !== 'planned') {
        this.#lagSeconds = 0;
        if (this.#hasAborted) {
          this.#hasAborted = false;
          onStep(undefined);
        }
        if (planned === 'idle') for (const resolve of this.#onIdle.splice(0)) resolve();
        else this.#sleep(this.#wallUntil(planned.wakeSeconds));
        return;
      }
      const step = this.#step as EngineStep;
      const dueIn = this.#wallUntil(step.endSeconds);
      if (dueIn > 0) {
        this.#sleep(dueIn);
        return;
      }
      this.#lagSeconds = -dueIn;
      this.#step = undefined;
      this.#modelSeconds = step.endSeconds;
      model.complete(step, (request) => onToken(request as R, step.endSeconds));
      this.#hasAborted = false;
      onStep(step);
      if (this.#betweenSteps.length > 0) {
        for (const resolve of this.#betweenSteps.splice(0)) resolve();
        // What waited for this moment goes first.
        this.#sleep(0);
        return;
      }
      if (wallSeconds() >= burstEnd) {
        this.#sleep(0);
        return;
      }
    }
  }

  /**
   * Plans the next step.
   *
   * @returns 'idle' if there is nothing to do until a call comes; else when to come back, for a
   *   transfer of a KV tier, or nothing if a step is planned.
   */
  #plan(): 'planned' | 'idle' | { readonly wakeSeconds: number } {
    const { model, onIdle } = this.#options;
    let start = this.#modelSeconds;
    for (;;) {
      this.#admit(start);
      this.#step = model.schedule(start);
      if (this.#step !== undefined) return 'planned';
      this.#modelSeconds = Math.max(this.#modelSeconds, start);
      onIdle?.();
      // Idle until the first arrival, or until a transfer ends.
      const arrival = this.#arrivals[0]?.arrivalSeconds ?? Number.POSITIVE_INFINITY;
      const { wakeSeconds } = model;
      const next = Math.min(arrival, wakeSeconds);
      if (next === Number.POSITIVE_INFINITY) return 'idle';
      if (wakeSeconds <= arrival && this.#wallUntil(wakeSeconds) > 0) return { wakeSeconds };
      start = Math.max(start, next);
    }
  }

  #admit(startSeconds: number): void {
    const { model } = this.#options;
    while (this.#arrivals.length > 0) {
      const request = this.#arrivals[0] as R;
      if (request.arrivalSeconds > startSeconds) return;
      this.#arrivals.shift();
      model.add(request, request.arrivalSeconds);
    }
  }

  #wallUntil(modelSeconds: number): number {
    const { timeScale } = this.#options;
    return timeScale === Number.POSITIVE_INFINITY
      ? 0
      : (modelSeconds - this.nowSeconds()) / timeScale;
  }

  /** Rounded up: a token up to a millisecond late costs nothing, spinning until its time a core. */
  #sleep(seconds: number): void {
    clearTimeout(this.#timer);
    if (seconds > 0) {
      this.#timer = setTimeout(() => this.#run(), Math.ceil(seconds * 1000));
      return;
    }
    this.#immediate = setImmediate(() => {
      this.#immediate = undefined;
      this.#run();
    });
  }
}
