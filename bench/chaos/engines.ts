// The engines of bench/chaos.ts: embedded engines, one process each, and the faults that strike them.
import type { ChildProcess } from 'node:child_process';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { end, start } from './processes.ts';

const program = join(import.meta.dirname, '../../bin/spillway.mjs');
export const modelName = 'Qwen/Qwen3-8B';

export class ChaosEngine {
  readonly url: string;
  readonly #port: number;
  readonly #timeScale: string;
  #child: ChildProcess | undefined;

  constructor(port: number, timeScale: string) {
    this.url = `http://127.0.0.1:${port}`;
    this.#port = port;
    this.#timeScale = timeScale;
  }

  async start(): Promise<void> {
    const args = [program, 'engine', '--model', modelName, '--port', `${this.#port}`];
    args.push('--time-scale', this.#timeScale, '--shutdown-timeout', '5', '--enable-scale-out');
    this.#child = await start(process.execPath, args, `${this.url}/health`);
  }

  async stop(signal: NodeJS.Signals): Promise<void> {
    if (this.#child !== undefined) await end(this.#child, signal);
  }

  signal(signal: NodeJS.Signals): void {
    this.#child?.kill(signal);
  }

  /** Replaces the engine's own faults (docs/guide/faults.md). */
  async inject(faults: object): Promise<void> {
    const answer = await fetch(`${this.url}/spillway/faults`, {
      ...{ method: 'PUT', body: JSON.stringify(faults) },
      headers: { 'Content-Type': 'application/json' },
    });
    if (!answer.ok) throw new Error(`${this.url}: ${await answer.text()}`);
    await answer.body?.cancel();
  }
}

/** Strikes an engine and heals it, restarted if it has ended. */
export type Fault = (engine: ChaosEngine, seconds: number) => Promise<void>;

function injected(faults: object): Fault {
  return async (engine, seconds) => {
    await engine.inject(faults);
    await sleep(seconds * 1000);
    await engine.inject({});
  };
}

export const faults: Readonly<Record<string, Fault>> = {
  killed: async (engine, seconds) => {
    await engine.stop('SIGKILL');
    await sleep(seconds * 250);
    await engine.start();
  },
  stopped: async (engine, seconds) => {
    engine.signal('SIGSTOP');
    await sleep(seconds * 1000);
    engine.signal('SIGCONT');
  },
  wedged: injected({ wedge: {} }),
  'fails-fast': injected({ error: { status: 500 } }),
  cut: injected({ cutStream: { events: 5 } }),
  refuses: async (engine, seconds) => {
    await engine.inject({ refuse: { seconds: seconds / 2 } });
    await sleep(seconds * 1000);
    await engine.inject({});
  },
  slowed: injected({ slowEngine: { factor: 10 } }),
  drained: async (engine, seconds) => {
    await engine.stop('SIGTERM');
    await sleep(seconds * 250);
    await engine.start();
  },
};
