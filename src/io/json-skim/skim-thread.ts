// Skims large JSON bodies off the event loop: 64 MiB take a few tenths of a second, which would
// stop all streams.
import { Worker } from 'node:worker_threads';
import { JsonSyntaxError } from '../../core/protocol/index.ts';
import type { SkimRequest, SkimResponse } from './skim-messages.ts';

/** A body that was read in the thread. */
export interface SkimmedBody {
  readonly spans: Int32Array;
  /** The same bytes, whose memory has come back. */
  readonly bytes: Buffer<ArrayBuffer>;
}

interface Waiting extends SkimRequest {
  readonly isWanted: () => boolean;
  resolve(body: SkimmedBody): void;
  reject(error: Error): void;
}

/** In a package the sources are bundled, and the thread's program is a file next to the bundle. */
const program = new URL(
  import.meta.url.endsWith('.ts') ? './skim-worker.ts' : './skim-worker.js',
  import.meta.url,
);

/**
 * Starts the thread with the first body. The thread has one body at a time: the memory for bodies bounds those that wait, and
 * what is no longer wanted is not kept there.
 */
export class SkimThread {
  readonly #waiting: Waiting[] = [];
  #current: Waiting | undefined = undefined;
  #worker: Worker | undefined = undefined;

  /**
   * Like `skimJsonObject`. The memory of the body moves to the thread, and comes back with the result: memory that two threads
   * share is not counted by the garbage collector, and was kept without a bound.
   *
   * @param bytes May no longer be used, neither it nor its buffer.
   * @param isWanted Whether somebody still waits for the result, and the bytes are still what they were; asked before they move.
   * @throws {JsonSyntaxError} If the bytes are not one JSON object within the bounds.
   * @throws {Error} If the thread ended, or the result is no longer wanted.
   */
  skim(
    bytes: Uint8Array,
    keys: readonly string[],
    isWanted: () => boolean = () => true,
  ): Promise<SkimmedBody> {
    const { promise, resolve, reject } = Promise.withResolvers<SkimmedBody>();
    this.#waiting.push({ bytes, keys, isWanted, resolve, reject });
    this.#proceed();
    return promise;
  }

  /** Ends the thread; bodies that wait are rejected. */
  close(): void {
    if (this.#worker === undefined) this.#ended();
    else void this.#worker.terminate();
  }

  #proceed(): void {
    while (this.#current === undefined) {
      const next = this.#waiting.shift();
      if (next === undefined) return;
      if (!next.isWanted()) {
        next.reject(new Error('The client has gone.'));
        continue;
      }
      this.#current = next;
      this.#worker ??= this.#start();
      const { bytes, keys } = next;
      const request: SkimRequest = { bytes, keys };
      this.#worker.postMessage(request, [bytes.buffer as ArrayBuffer]);
    }
  }

  #start(): Worker {
    const worker = new Worker(program);
    worker.unref();
    worker.on('message', (response: SkimResponse) => this.#settle(response));
    // The exit event follows.
    worker.on('error', () => undefined);
    worker.on('exit', () => {
      this.#worker = undefined;
      this.#ended();
    });
    return worker;
  }

  #ended(): void {
    const all = [...(this.#current ? [this.#current] : []), ...this.#waiting.splice(0)];
    this.#current = undefined;
    for (const { reject } of all) reject(new Error('The thread that reads large bodies ended.'));
  }

  #settle(response: SkimResponse): void {
    const waiting = this.#current;
    this.#current = undefined;
    if ('spans' in response) {
      const { buffer, byteOffset, byteLength } = response.bytes;
      const bytes = Buffer.from(buffer as ArrayBuffer, byteOffset, byteLength);
      waiting?.resolve({ spans: response.spans, bytes });
    } else waiting?.reject(new JsonSyntaxError(response.syntaxError));
    this.#proceed();
  }
}
