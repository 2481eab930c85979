// One of several client processes, as its parent sees it.
import { type ChildProcess, fork } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { InputError, NoResponseError } from '../../../core/base/index.ts';
import type { RequestRecord } from '../../../core/stats/index.ts';
import type { ClientRun } from '../load-outcome.ts';
import type { ClientTask, FromClient, ToClient } from './messages.ts';

/** In a package the sources are bundled, and the program is a file next to the bundle. */
const program = new URL(
  import.meta.url.endsWith('.ts') ? './client-process.ts' : './client-process.js',
  import.meta.url,
);

/** How a process ended: with its figures, or by a cause such as `SIGKILL` or `status 1`. */
export type ClientEnd =
  | { readonly result: Omit<ClientRun, 'records'>; readonly death?: undefined }
  | { readonly result?: undefined; readonly death: string };

/** Starts a client process with its task. It ends with this process. */
export class ClientChild {
  /** Settles when the process has warmed up. */
  readonly ready: Promise<void>;
  readonly ended: Promise<ClientEnd>;
  readonly number: number;
  sent = 0;
  completed = 0;
  failed = 0;
  readonly #process: ChildProcess;

  constructor(task: ClientTask, onRecord: (record: RequestRecord) => void) {
    this.number = task.part.index + 1;
    const ready = Promise.withResolvers<void>();
    const ended = Promise.withResolvers<ClientEnd>();
    this.ready = ready.promise;
    this.ended = ended.promise;
    this.#process = fork(fileURLToPath(program), {
      serialization: 'advanced',
      stdio: ['ignore', 'ignore', 'inherit', 'ipc'],
      // Node 22 warns about the stripping of types.
      env: { ...process.env, NODE_NO_WARNINGS: '1' },
    });
    this.#process.on('message', (message: FromClient) => {
      switch (message.kind) {
        case 'ready':
          ready.resolve();
          break;
        case 'records': {
          const { sent, completed, failed } = message.progress;
          Object.assign(this, { sent, completed, failed });
          message.records.forEach(onRecord);
          break;
        }
        case 'refused':
          ready.reject(new (message.isGone ? NoResponseError : InputError)(message.message));
          break;
        case 'done':
          ended.resolve({ result: message.result });
      }
    });
    const die = (death: string) => {
      ready.reject(new Error(`Client process ${this.number} ended before the load (${death}).`));
      ended.resolve({ death });
    };
    this.#process.on('error', (error) => die(error.message));
    this.#process.on('exit', (status, signal) => die(signal ?? `status ${status}`));
    this.#send({ kind: 'task', task });
  }

  /** Process id, for tests. */
  get pid(): number | undefined {
    return this.#process.pid;
  }

  start(atSeconds: number): void {
    this.#send({ kind: 'start', atSeconds });
  }

  /** Ends its requests; it still reports what it measured. */
  stop(): void {
    this.#send({ kind: 'stop' });
  }

  kill(): void {
    this.#process.kill('SIGKILL');
  }

  #send(message: ToClient): void {
    // A process that has just died gets nothing more; its exit is reported.
    if (this.#process.connected) this.#process.send(message, () => undefined);
  }
}
