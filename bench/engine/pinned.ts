// Programs under measurement: starts them on one core, waits for them, measures them, and stops
// them.
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { request } from 'node:http';
import { setTimeout as sleep } from 'node:timers/promises';

const ticksPerSecond = 100; // _SC_CLK_TCK on Linux
const readyDeadlineMs = 120_000;
const pollMs = 2;

export class PinnedProcess {
  readonly #child: ChildProcess;
  readonly #startMs = performance.now();
  #errors = '';

  /** @param environment Added to this process's own. */
  constructor(
    cpu: number,
    command: readonly string[],
    environment: Readonly<Record<string, string>> = {},
  ) {
    this.#child = spawn('taskset', ['-c', `${cpu}`, ...command], {
      stdio: ['ignore', 'ignore', 'pipe'],
      env: { ...process.env, ...environment },
    });
    this.#child.stderr?.on('data', (bytes: Buffer) => {
      this.#errors = (this.#errors + bytes.toString()).slice(-2000);
    });
  }

  /** @returns Milliseconds from its start until all ports answer /health with 200. */
  async ready(...ports: readonly number[]): Promise<number> {
    for (const port of ports) {
      while ((await call({ port, path: '/health' })).status !== 200) {
        if (this.#child.exitCode !== null || performance.now() - this.#startMs > readyDeadlineMs) {
          throw new Error(`${this.#child.spawnargs.join(' ')} is not ready: ${this.#errors}`);
        }
        await sleep(pollMs);
      }
    }
    return this.sinceStartMs;
  }

  get sinceStartMs(): number {
    return performance.now() - this.#startMs;
  }

  /** User and system time (taskset has become the program by exec). */
  cpuSeconds(): number {
    const stat = readFileSync(`/proc/${this.#child.pid}/stat`, 'utf8');
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    return (Number(fields[11]) + Number(fields[12])) / ticksPerSecond;
  }

  /** Resident memory in MB: all of it, and without pages of files, which processes share. */
  memoryMb(): { readonly resident: number; readonly anonymous: number } {
    const status = readFileSync(`/proc/${this.#child.pid}/status`, 'utf8');
    const field = (name: string) =>
      (Number(new RegExp(`${name}:\\s+(\\d+)`).exec(status)?.[1]) * 1024) / 1e6;
    return { resident: field('VmRSS'), anonymous: field('RssAnon') };
  }

  async end(): Promise<void> {
    if (this.#child.exitCode !== null || this.#child.signalCode !== null) return;
    this.#child.kill('SIGKILL');
    await once(this.#child, 'exit');
  }
}

/** One request on a separate connection; status 0 if there is no response. */
export function call(options: {
  readonly port: number;
  readonly path: string;
  readonly body?: object;
}): Promise<{ readonly status: number; readonly text: string }> {
  const { port, path, body } = options;
  return new Promise((resolve) => {
    const sent = request(
      {
        ...{ host: '127.0.0.1', port, path, agent: false, method: body ? 'POST' : 'GET' },
        ...(body && { headers: { 'content-type': 'application/json' } }),
      },
      (response) => {
        let text = '';
        response.setEncoding('utf8').on('data', (part: string) => {
          text += part;
        });
        response.on('end', () => resolve({ status: response.statusCode ?? 0, text }));
        response.on('error', () => resolve({ status: 0, text }));
      },
    );
    sent.on('error', () => resolve({ status: 0, text: '' }));
    sent.end(body && JSON.stringify(body));
  });
}

/** Sends a short chat. @returns Number of tokens reported in the response. */
export async function chat(port: number, maxTokens: number): Promise<number> {
  const body = {
    ...{ model: 'bench', messages: [{ role: 'user', content: 'Tell of the sea.' }] },
    ...{ max_tokens: maxTokens, ignore_eos: true },
  };
  const { status, text } = await call({ port, path: '/v1/chat/completions', body });
  if (status !== 200) throw new Error(`Port ${port} responds to a chat with ${status}: ${text}`);
  return (JSON.parse(text) as { usage: { completion_tokens: number } }).usage.completion_tokens;
}
