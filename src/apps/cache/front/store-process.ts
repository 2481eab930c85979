// The process of the store, from its start to its end.
import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import type { ClientHandle } from '../client-reads.ts';
import type { FrontMessage, StoreMessage } from './messages.ts';

export class StoreProcess {
  /** Resolves when it is gone, and all that it said has been read. */
  readonly ended: Promise<void>;
  readonly #child: ChildProcess;
  #isReady = false;

  /** @param onMessage Called with each message, `ready` first. */
  constructor(child: ChildProcess, onMessage: (message: StoreMessage) => void) {
    this.#child = child;
    child.on('message', (message: StoreMessage) => {
      if (message.kind === 'ready') this.#isReady = true;
      onMessage(message);
    });
    // A program that cannot be started has no exit.
    const exit = Promise.race([once(child, 'exit'), once(child, 'error')]).catch(() => {});
    const read = child.connected ? once(child, 'disconnect').catch(() => {}) : undefined;
    this.ended = Promise.all([exit, read]).then(() => {
      this.#isReady = false;
    });
  }

  /** Whether it serves clients. */
  get isReady(): boolean {
    return this.#isReady;
  }

  /** Undefined while it runs, or if a signal ended it. */
  get exitCode(): number | undefined {
    return this.#child.exitCode ?? undefined;
  }

  send(message: FrontMessage, handle?: ClientHandle): void {
    // A process that is just ending does not take it: `ended` follows.
    if (this.#child.connected) this.#child.send(message, handle as never, {}, () => {});
  }

  kill(signal: NodeJS.Signals): void {
    this.#child.kill(signal);
  }
}
