// Keeps a child running: starts it, waits until it is ready, restarts it when it dies, and stops
// it.
import { forgiveAfterMs, restartDelayMs } from './backoff.ts';
import { Child, type ChildSpec } from './child.ts';
import { delay } from './delay.ts';
import { ChildError } from './errors.ts';
import type { OutputStream } from './output-stream.ts';
import { type ProbeTls, probe } from './probe.ts';

export interface ServiceSpec extends ChildSpec {
  /** URL that responds with 200 when the service is ready. */
  readonly healthUrl: string;
  /** For an https URL. */
  readonly healthTls?: ProbeTls | undefined;
  /** Time from start to ready; a child that needs longer is killed. */
  readonly startDeadlineMs: number;
  /**
   * How many more times the first start is tried when the child exits before it is ready (default 0).
   * vLLM picks ports while it starts and binds them seconds later, so a start can fail by chance.
   */
  readonly startRetriesMax?: number;
  /** Time from SIGTERM to SIGKILL. */
  readonly stopGraceMs: number;
}

export type ServiceState = 'starting' | 'ready' | 'restarting' | 'stopping' | 'stopped';

export interface ServiceHooks {
  onLine(service: Service, stream: OutputStream, line: string): void;
  /** @param detail For `restarting`: why it died and when it starts again. */
  onState(service: Service, state: ServiceState, detail: string): void;
}

/** Interval between health checks while an embedded engine or router would start: half a second. */
const healthIntervalMs = 50;
/** Interval after that: a child that needs a minute gains nothing from 20 connections per second. */
const slowHealthIntervalMs = 250;
const slowAfterMs = 3_000;
const healthTimeoutMs = 2_000;
/** Exit status of argparse, commander and most other programs for wrong arguments. */
const usageExitCode = 2;

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

  /** Number of restarts. */
  get restarts(): number {
    return this.#restarts;
  }

  /**
   * Starts the child and resolves when it is ready. From then on it is kept running until `stop`.
   *
   * @throws {ChildError} If this first start fails `startRetriesMax` + 1 times, or with an exit status
   *   that a retry will not change.
   */
  async start(): Promise<void> {
    const retriesMax = this.spec.startRetriesMax ?? 0;
    for (let failures = 1; ; failures++) {
      try {
        await this.#launch();
        break;
      } catch (error) {
        if (!(error instanceof ChildError) || !error.isRetriable) throw error;
        if (failures > retriesMax) throw error;
        await this.#waitToRestart(failures, error.reason);
        if (this.#stopping.signal.aborted) throw error;
      }
    }
    this.#loop = this.#keepAlive();
  }

  /**
   * Stops the child for good. Never rejects; may be called in any state and more than once.
   *
   * @param hurry Kills the child at once when aborted.
   * @param name The signal that asks it to stop.
   */
  stop(hurry?: AbortSignal, name: NodeJS.Signals = 'SIGTERM'): Promise<void> {
    // A second signal would ask the child to hurry, so a second call only waits.
    this.#stopped ??= this.#stop(hurry, name);
    return this.#stopped;
  }

  async #stop(hurry: AbortSignal | undefined, name: NodeJS.Signals): Promise<void> {
    this.#stopping.abort();
    if (this.#state === 'stopped') return;
    this.#setState('stopping');
    await this.#child?.stop(this.spec.stopGraceMs, hurry, name);
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
    // Processes that it may have started must not stay.
    child.killGroup();
    const { code, description } = outcome;
    const isRetriable = code !== null && code !== usageExitCode;
    const message = `${spec.name} failed to start (${description}).`;
    throw new ChildError(message, { reason: description, isRetriable });
  }

  async #waitForHealth(signal: AbortSignal): Promise<'ready' | 'late'> {
    const startedAt = performance.now();
    while (!signal.aborted) {
      const { healthUrl, healthTls: tls } = this.spec;
      const options = { timeoutMs: healthTimeoutMs, signal, tls };
      const answer = await probe(healthUrl, options).catch(() => undefined);
      if (answer?.status === 200) return 'ready';
      const isSlow = performance.now() - startedAt > slowAfterMs;
      await delay(isSlow ? slowHealthIntervalMs : healthIntervalMs, signal);
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
      await this.#waitToRestart(failures, cause);
      if (signal.aborted) return;
      try {
        await this.#launch();
        readyAt = performance.now();
      } catch (error) {
        cause = error instanceof ChildError ? error.reason : (error as Error).message;
      }
    }
  }

  /** Waits as `restartDelayMs` says; counts the restart that follows unless the service is stopped. */
  async #waitToRestart(failures: number, cause: string): Promise<void> {
    const waitMs = restartDelayMs(failures);
    this.#setState('restarting', `${cause}; restarts in ${waitMs / 1000} s`);
    await delay(waitMs, this.#stopping.signal);
    if (!this.#stopping.signal.aborted) this.#restarts += 1;
  }

  #setState(state: ServiceState, detail = ''): void {
    this.#state = state;
    this.#hooks.onState(this, state, detail);
  }
}
