// Runs a child process in its own process group and reads its output as lines.
import { type ChildProcess, spawn } from 'node:child_process';
import type { Socket } from 'node:net';
import { kill, env as ownEnvironment } from 'node:process';
import { lifelineDescriptor, lifelineVariable } from '../lifeline/index.ts';
import { DeathCause } from './death-cause.ts';
import { delay } from './delay.ts';
import { LineSplitter } from './line-splitter.ts';
import { guardGroup } from './orphan-guard.ts';
import type { OutputStream } from './output-stream.ts';

/** The program to start. */
export interface ChildSpec {
  readonly name: string;
  readonly command: string;
  readonly args: readonly string[];
  /** Added to this process's environment. Pass secrets here: command lines are public. */
  readonly env?: Readonly<Record<string, string>>;
  /**
   * What ends the child when this process is killed: `pipe` if the child calls `watchLifeline`;
   * `guard` for a foreign program, which gets a small shell that watches the pipe in its place.
   */
  readonly lifeline: 'pipe' | 'guard';
}

/** How a child ended. */
export interface ChildExit {
  readonly code: number | null;
  readonly signal: string | null;
  /** One phrase: `exit code 3: ValueError: …`, `killed by SIGKILL`, `cannot start: ENOENT`. */
  readonly description: string;
}

/** Time for the pipes to drain after the exit; grandchildren may keep them open for ever. */
const drainMs = 300;

export class Child {
  readonly exited: Promise<ChildExit>;
  readonly #process: ChildProcess;
  #hasExited = false;
  readonly #cause = new DeathCause();

  /** Starts the program at once; `exited` reports a program that cannot be started. */
  constructor(spec: ChildSpec, onLine: (stream: OutputStream, line: string) => void) {
    const watchesPipe = spec.lifeline === 'pipe';
    this.#process = spawn(spec.command, [...spec.args], {
      // With its own process group, the terminal's Ctrl-C reaches only us, so that we can stop
      // children in order, and everything that the child started can be killed with it.
      detached: true,
      stdio: ['ignore', 'pipe', 'pipe', ...(watchesPipe ? (['pipe'] as const) : [])],
      env: {
        ...ownEnvironment,
        ...(watchesPipe ? { [lifelineVariable]: String(lifelineDescriptor) } : {}),
        ...spec.env,
      },
    });
    // The child acknowledges signals there, which are its own. A pipe that breaks without a listener
    // would end this process.
    this.#lifeline?.on('error', () => undefined);
    this.#lifeline?.resume();
    const releaseGuard =
      watchesPipe || this.#process.pid === undefined ? undefined : guardGroup(this.#process.pid);
    this.#readLines('stdout', onLine);
    this.#readLines('stderr', onLine);
    this.exited = this.#observeExit().finally(() => releaseGuard?.());
  }

  get pid(): number | undefined {
    return this.#process.pid;
  }

  get #lifeline(): Socket | null | undefined {
    return this.#process.stdio[lifelineDescriptor] as Socket | null | undefined;
  }

  /** Signals the child only; it stops its own children in order. */
  signal(name: NodeJS.Signals): void {
    if (!this.#hasExited) this.#process.kill(name);
  }

  /**
   * Sends a signal, and after `graceMs` SIGKILL to the whole process group.
   *
   * @param hurry Ends the grace period when aborted.
   */
  async stop(
    graceMs: number,
    hurry?: AbortSignal,
    name: NodeJS.Signals = 'SIGTERM',
  ): Promise<ChildExit> {
    this.signal(name);
    const grace = new AbortController();
    const signal = hurry ? AbortSignal.any([hurry, grace.signal]) : grace.signal;
    await Promise.race([this.exited, delay(graceMs, signal)]);
    grace.abort();
    this.killGroup();
    return this.exited;
  }

  /** Sends SIGKILL to the child and everything that it started. Harmless if they are gone. */
  killGroup(): void {
    const { pid } = this.#process;
    if (pid === undefined) return;
    try {
      kill(-pid, 'SIGKILL');
    } catch {
      // No such group: all its processes are gone.
    }
  }

  #readLines(stream: OutputStream, onLine: (stream: OutputStream, line: string) => void): void {
    const splitter = new LineSplitter((line) => {
      this.#cause.add(stream, line);
      onLine(stream, line);
    });
    const source = this.#process[stream];
    source?.setEncoding('utf8');
    source?.on('data', (chunk: string) => splitter.push(chunk));
    source?.on('end', () => splitter.end());
    source?.on('error', () => splitter.end());
  }

  #observeExit(): Promise<ChildExit> {
    return new Promise((resolve) => {
      this.#process.once('error', (error: NodeJS.ErrnoException) => {
        // The event is also emitted if a signal cannot be sent; then the exit still follows.
        if (this.#process.pid !== undefined) return;
        this.#hasExited = true;
        const reason = error.code === 'ENOENT' ? 'no such program' : error.message;
        resolve({ code: null, signal: null, description: `cannot be started: ${reason}` });
      });
      this.#process.once('exit', (code, signal) => {
        this.#hasExited = true;
        const finish = (): void => {
          clearTimeout(timer);
          this.#lifeline?.destroy();
          this.#process.stdout?.destroy();
          this.#process.stderr?.destroy();
          resolve({ code, signal, description: this.#describe(code, signal) });
        };
        const timer = setTimeout(finish, drainMs);
        this.#process.once('close', finish);
      });
    });
  }

  #describe(code: number | null, signal: string | null): string {
    const how = signal === null ? `exit code ${code}` : `killed by ${signal}`;
    const cause = signal === null ? this.#cause.ofExit() : this.#cause.ofSignal();
    return cause === '' ? how : `${how}: ${cause}`;
  }
}
