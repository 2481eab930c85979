// Skims large JSON bodies off the event loop: 64 MiB take a few tenths of a second, which would
// stop all streams.
import { Worker } from 'node:worker_threads';
import { JsonSyntaxError } from '../../core/protocol/index.ts';
import type { SkimRequest, SkimResponse } from './skim-messages.ts';

interface Waiting {
  resolve(spans: Int32Array): void;
  reject(error: Error): void;
}

/** In a package the sources are bundled, and the thread's program is a file next to the bundle. */
const program = new URL(
  import.meta.url.endsWith('.ts') ? './skim-worker.ts' : './skim-worker.js',
  import.meta.url,
);

/** Starts the thread with the first body. The memory for bodies bounds the number that wait. */
export class SkimThread {
  readonly #waiting = new Map<number, Waiting>();
  #worker: Worker | undefined = undefined;
  #lastId = 0;

  /**
   * Like `skimJsonObject`, for a body in shared memory, which must not change meanwhile.
   *
   * @throws {JsonSyntaxError} If the bytes are not one JSON object within the bounds.
   * @throws {Error} If the thread ended.
   */
  skim(bytes: Uint8Array, keys: readonly string[]): Promise<Int32Array> {
    const request: SkimRequest = { id: ++this.#lastId, bytes, keys };
    return new Promise((resolve, reject) => {
      this.#waiting.set(request.id, { resolve, reject });
      this.#worker ??= this.#start();
      this.#worker.postMessage(request);
    });
  }

  /** Ends the thread; bodies that wait are rejected. */
  close(): void {
    void this.#worker?.terminate();
  }

  #start(): Worker {
    const worker = new Worker(program);
    worker.unref();
    worker.on('message', (response: SkimResponse) => this.#settle(response));
    // The exit event follows.
    worker.on('error', () => undefined);
    worker.on('exit', () => {
      this.#worker = undefined;
      for (const { reject } of this.#waiting.values()) {
        reject(new Error('The thread that reads large bodies ended.'));
      }
      this.#waiting.clear();
    });
    return worker;
  }

  #settle(response: SkimResponse): void {
    const waiting = this.#waiting.get(response.id);
    this.#waiting.delete(response.id);
    if ('spans' in response) waiting?.resolve(response.spans);
    else waiting?.reject(new JsonSyntaxError(response.syntaxError));
  }
}
