// A child that is kept alive: started, waited for, started again when it dies, stopped in order.
import { forgiveAfterMs, restartDelayMs } from './backoff.ts';
import { Child, type ChildSpec, type OutputStream } from './child.ts';
import { delay } from './delay.ts';
import { ChildError } from './errors.ts';
import { probe } from './probe.ts';

export interface ServiceSpec extends ChildSpec {
  /** Answers 200 when the service is ready. */
  readonly healthUrl: string;
  /** Time from start to ready; a child that needs longer is killed. */
  readonly startDeadlineMs: number;
  /** Time from SIGTERM to SIGKILL. */
  readonly stopGraceMs: number;
}

export type ServiceState = 'starting' | 'ready' | 'restarting' | 'stopping' | 'stopped';

export interface ServiceHooks {
  onLine(service: Service, stream: OutputStream, line: string): void;
  /** @param detail For `restarting`: why it died and when it starts again. */
  onState(service: Service, state: ServiceState, detail: string): void;
}

/** Between two looks at the health URL of a starting child. */
const healthIntervalMs = 50;
const healthTimeoutMs = 2_000;

export class Service {
  readonly spec: ServiceSpec;
  readonly #hooks: ServiceHooks;
  readonly #stopping = new AbortController();
  #state: ServiceState = 'stopped';
  #child: Child | undefined;
  #restarts = 0;
  #loop: Promise<void> = Promise.resolve();
  #stopped: Promise<void> | undefined;

  constructor(spec: ServiceSpec, hooks: ServiceHooks) {
    this.spec = spec;
    this.#hooks = hooks;
  }

  get state(): ServiceState {
    return this.#state;
  }

  get pid(): number | undefined {
    return this.#child?.pid;
  }

  /** Times it was started again. */
  get restarts(): number {
    return this.#restarts;
  }

  /**
   * Starts it, and resolves when it is ready; from then on it is kept alive until `stop`.
   *
   * @throws {ChildError} If this first start fails: a cause that a restart will not mend.
   */
  async start(): Promise<void> {
    await this.#launch();
    this.#loop = this.#keepAlive();
  }

  /**
   * Stops it for good; never rejects. Safe in any state and more than once.
   *
   * @param hurry Aborting it kills at once.
   */
  stop(hurry?: AbortSignal): Promise<void> {
    // A second SIGTERM would ask the child to hurry, so a second call only waits.
    this.#stopped ??= this.#stop(hurry);
    return this.#stopped;
  }

  async #stop(hurry: AbortSignal | undefined): Promise<void> {
    this.#stopping.abort();
    if (this.#state === 'stopped') return;
    this.#setState('stopping');
    await this.#child?.stop(this.spec.stopGraceMs, hurry);
    await this.#loop;
    this.#setState('stopped');
  }

  async #launch(): Promise<void> {
    const { spec } = this;
    this.#setState('starting');
    const child = new Child(spec, (stream, line) => this.#hooks.onLine(this, stream, line));
    this.#child = child;
    const settled = new AbortController();
    const signal = AbortSignal.any([settled.signal, this.#stopping.signal]);
    const outcome = await Promise.race([
      child.exited,
      this.#waitForHealth(signal),
      delay(spec.startDeadlineMs, signal).then(() => 'late' as const),
    ]);
    settled.abort();
    if (this.#stopping.signal.aborted) throw new ChildError(`${spec.name} was stopped.`);
    if (outcome === 'ready') {
      this.#setState('ready');
      return;
    }
    if (outcome === 'late') {
      child.killGroup();
      await child.exited;
      const seconds = spec.startDeadlineMs / 1000;
      throw new ChildError(`${spec.name} was not ready within ${seconds} s and was killed.`);
    }
    // What it may have started itself must not stay.
    child.killGroup();
    throw new ChildError(`${spec.name} died at start (${outcome.description}).`);
  }

  async #waitForHealth(signal: AbortSignal): Promise<'ready' | 'late'> {
    while (!signal.aborted) {
      const answer = await probe(this.spec.healthUrl, { timeoutMs: healthTimeoutMs, signal }).catch(
        () => undefined,
      );
      if (answer?.status === 200) return 'ready';
      await delay(healthIntervalMs, signal);
    }
    return 'late';
  }

  async #keepAlive(): Promise<void> {
    const { signal } = this.#stopping;
    let failures = 0;
    let readyAt = performance.now();
    let cause = '';
    while (!signal.aborted) {
      if (this.#state === 'ready') {
        const exit = await this.#child?.exited;
        if (signal.aborted) return;
        this.#child?.killGroup();
        cause = exit?.description ?? '';
        if (performance.now() - readyAt >= forgiveAfterMs) failures = 0;
      }
      failures += 1;
      const waitMs = restartDelayMs(failures);
      this.#setState('restarting', `${cause}; starts again in ${waitMs / 1000} s`);
      await delay(waitMs, signal);
      if (signal.aborted) return;
      this.#restarts += 1;
      try {
        await this.#launch();
        readyAt = performance.now();
      } catch (error) {
        cause = (error as Error).message;
      }
    }
  }

  #setState(state: ServiceState, detail = ''): void {
    this.#state = state;
    this.#hooks.onState(this, state, detail);
  }
}
