// Runs the engine model on the wall clock.
import type { EngineModel, EngineRequest, EngineStep } from '../../../core/engine/index.ts';

export interface DriverOptions<R extends EngineRequest> {
  readonly model: EngineModel;
  /** GPU seconds per wall second; Infinity runs as fast as the machine can. */
  readonly timeScale: number;
  /** Wall seconds, monotonic. */
  readonly wallSeconds: () => number;
  /** Samples one token of a request at a time in GPU seconds; returns whether the request ends. */
  readonly onToken: (request: R, nowSeconds: number) => boolean;
  /**
   * Called after each step, with that step; and without a step after requests were aborted between
   * steps, which vLLM follows with a step of no tokens.
   */
  readonly onStep: (step: EngineStep | undefined) => void;
  /** Called when no step could be planned; transfers of KV tiers may have ended. */
  readonly onIdle?: () => void;
  /** Whether the reply of a server decides what runs next; `wake` has to be called when it is there. */
  readonly isHeld?: () => boolean;
}

/** Maximum duration of a run of steps before sockets are served again, in wall milliseconds. */
const burstMs = 8;

/**
 * Runs the model's steps when they are due. Each step starts where the previous one ended on the
 * model's own clock, never "now": a late timer delays one token, not all that follow. A request
 * joins the first step that starts after its arrival, even if the driver is behind.
 */
export class Driver<R extends EngineRequest> {
  readonly #options: DriverOptions<R>;
  /** Wall time since which the clock has run at its present speed, and what it showed then. */
  #speedSinceWall: number;
  #speedSinceSeconds = 0;
  /** Share of the full speed. */
  #speed = 1;
  /** Requests that arrived after the start of the current step. */
  readonly #arrivals: R[] = [];
  #step: EngineStep | undefined;
  /** End of the last step, GPU seconds. */
  #modelSeconds = 0;
  #timer: NodeJS.Timeout | undefined;
  #immediate: NodeJS.Immediate | undefined;
  #isClosed = false;
  #lagSeconds = 0;
  /** Whether a request was aborted since the last step. */
  #hasAborted = false;
  /** Called when the step in flight ends. */
  readonly #betweenSteps: (() => void)[] = [];
  /** Called when there is no work left. */
  readonly #onIdle: (() => void)[] = [];

  constructor(options: DriverOptions<R>) {
    this.#options = options;
    this.#speedSinceWall = options.wallSeconds();
  }

  /** GPU seconds since the start. */
  nowSeconds(): number {
    const { timeScale, wallSeconds } = this.#options;
    return timeScale === Number.POSITIVE_INFINITY
      ? this.#modelSeconds
      : this.#speedSinceSeconds + (wallSeconds() - this.#speedSinceWall) * timeScale * this.#speed;
  }

  /**
   * Slows the engine down, or stops it, from now on.
   *
   * @param speed Share of the full speed, in [0, 1]. With an infinite time scale, all speeds above 0 are the same.
   */
  setSpeed(speed: number): void {
    if (speed === this.#speed) return;
    this.#speedSinceSeconds = this.nowSeconds();
    this.#speedSinceWall = this.#options.wallSeconds();
    this.#speed = speed;
    if (this.#isClosed || this.#immediate !== undefined) return;
    clearTimeout(this.#timer);
    this.#sleep(0);
  }

  /** Delay of the last step's tokens, wall seconds. */
  get lagSeconds(): number {
    return this.#lagSeconds;
  }

  add(request: R): void {
    this.#arrivals.push(request);
    if (this.#step === undefined) this.wake();
  }

  /** Frees the request's blocks at once. @returns False if the request has already ended. */
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

  /** Resolves when the model has nothing to do: no request runs, or all are paused. */
  idle(): Promise<void> {
    const idle = new Promise<void>((resolve) => this.#onIdle.push(resolve));
    this.wake();
    return idle;
  }

  /** Continues after the model was resumed; the paused time is skipped. */
  resume(): void {
    if (this.#step === undefined)
      this.#modelSeconds = Math.max(this.#modelSeconds, this.nowSeconds());
    this.wake();
  }

  /** Looks for work. */
  wake(): void {
    if (this.#isClosed || this.#immediate !== undefined || this.#step !== undefined) return;
    // Deferred, so that a burst of arrivals shares a step.
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
    if (this.#speed === 0) return;
    const burstEnd = wallSeconds() + burstMs / 1000;
    while (!this.#isClosed) {
      const planned = this.#step === undefined ? this.#plan() : 'planned';
      if (planned !== 'planned') {
        this.#lagSeconds = 0;
        if (this.#hasAborted) {
          this.#hasAborted = false;
          onStep(undefined);
        }
        if (planned === 'held') return;
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
        // Callers that wait for the end of a step run first.
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
   * @returns 'idle' if there is nothing to do until the next call, 'held' if there will be when `wake` is called; the time
   *   to try again if a transfer of a KV tier is pending.
   */
  #plan(): 'planned' | 'idle' | 'held' | { readonly wakeSeconds: number } {
    const { model, onIdle, isHeld } = this.#options;
    let start = this.#modelSeconds;
    for (;;) {
      this.#admit(start);
      this.#step = model.schedule(start);
      if (this.#step !== undefined) return 'planned';
      this.#modelSeconds = Math.max(this.#modelSeconds, start);
      onIdle?.();
      if (isHeld?.()) return 'held';
      // Idle until the first arrival or the end of a transfer.
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
    const later = this.#arrivals.findIndex(({ arrivalSeconds }) => arrivalSeconds > startSeconds);
    const count = later === -1 ? this.#arrivals.length : later;
    if (count === 0) return;
    for (const request of this.#arrivals.splice(0, count)) model.add(request);
  }

  #wallUntil(modelSeconds: number): number {
    const { timeScale } = this.#options;
    return timeScale === Number.POSITIVE_INFINITY
      ? 0
      : (modelSeconds - this.nowSeconds()) / (timeScale * this.#speed);
  }

  /** Rounded up: a token up to a millisecond late is harmless, but spinning would occupy a core. */
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
