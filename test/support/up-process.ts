// Runs `spillway up` as a user does, and reads what it prints.
import { type ChildProcess, spawn } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { freePorts } from '../../src/io/processes/index.ts';

const launcher = join(import.meta.dirname, '..', '..', 'bin', 'spillway.mjs');
/** A fresh clone installs its dependencies first. */
const waitMsDefault = 180_000;

export interface UpProcessOptions {
  /** Command that runs `spillway up`; flags are appended. @default this clone's launcher */
  readonly command?: readonly [string, ...string[]];
  readonly cwd?: string;
  /** @default this process's environment */
  readonly env?: NodeJS.ProcessEnv;
  /** How long it is waited for. @default 180,000 */
  readonly waitMs?: number;
}

export class UpProcess {
  readonly port: number;
  readonly process: ChildProcess;
  stdout = '';
  stderr = '';
  readonly #waitMs: number;
  readonly #exited: Promise<number | null>;

  /** Starts it on a free port with the given flags. */
  static async start(flags: readonly string[], options: UpProcessOptions = {}): Promise<UpProcess> {
    const [port = 0] = await freePorts(1);
    const command = options.command ?? [process.execPath, launcher, 'up'];
    return new UpProcess(port, [...command, '--port', String(port), ...flags], options);
  }

  private constructor(port: number, command: readonly string[], options: UpProcessOptions) {
    this.port = port;
    this.#waitMs = options.waitMs ?? waitMsDefault;
    const [program = '', ...args] = command;
    this.process = spawn(program, args, {
      stdio: ['ignore', 'pipe', 'pipe'],
      detached: true,
      cwd: options.cwd,
      env: options.env ?? process.env,
    });
    this.process.stdout?.setEncoding('utf8').on('data', (text: string) => {
      this.stdout += text;
    });
    this.process.stderr?.setEncoding('utf8').on('data', (text: string) => {
      this.stderr += text;
    });
    this.#exited = new Promise((resolve) => this.process.on('close', resolve));
  }

  get url(): string {
    return `http://127.0.0.1:${this.port}`;
  }

  /** Resolves when the ready line is printed; rejects with all output if the process ends before. */
  async ready(): Promise<void> {
    await this.until(() => {
      if (this.process.exitCode !== null)
        throw new Error(`up ended:\n${this.stdout}${this.stderr}`);
      return /^(ready: |\{"event":"ready")/m.test(this.stdout);
    });
  }

  async until(condition: () => boolean | Promise<boolean>): Promise<void> {
    const waitMs = this.#waitMs;
    const deadline = performance.now() + waitMs;
    while (!(await condition())) {
      if (performance.now() > deadline) {
        throw new Error(`not within ${waitMs} ms: ${condition}\n${this.stdout}${this.stderr}`);
      }
      await sleep(20);
    }
  }

  /** The events of `--json`, oldest first. */
  get events(): Record<string, unknown>[] {
    return this.stdout
      .split('\n')
      .filter((line) => line.startsWith('{'))
      .map((line) => JSON.parse(line) as Record<string, unknown>);
  }

  /** Under `--json`: the last known pid of each child, by name. */
  get pids(): Map<string, number> {
    const pids = new Map<string, number>();
    for (const { event, name, pid } of this.events) {
      if (event === 'process' && typeof pid === 'number') pids.set(String(name), pid);
    }
    return pids;
  }

  /**
   * Sends a signal to its process group, as a terminal does on Ctrl-C (npm and npx pass on only some signals),
   * and resolves with the exit status.
   */
  async end(signal: NodeJS.Signals = 'SIGINT'): Promise<number | null> {
    try {
      if (this.process.pid !== undefined) process.kill(-this.process.pid, signal);
    } catch {
      // It has ended.
    }
    return this.exited();
  }

  /** Sends SIGKILL to the first process only, as the kernel does when memory is short. */
  killOnlyFirst(): Promise<number | null> {
    this.process.kill('SIGKILL');
    return this.exited();
  }

  exited(): Promise<number | null> {
    return this.#exited;
  }
}

/** Returns whether the process runs; a zombie does not. */
export function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return !/^\d+ \(.*\) Z/s.test(readFileSync(`/proc/${pid}/stat`, 'utf8'));
  } catch (error) {
    // This system has no /proc: the signal alone decides.
    return (error as NodeJS.ErrnoException).code === 'ENOENT' && !existsSync('/proc');
  }
}
