// The state of each client, in a file that outlives the process which writes it: after a crash of the store, the front keeps the
// connections of those that wait for nothing.
import { closeSync, readSync, writeSync } from 'node:fs';
import { temporaryFile } from '../../../io/temporary/index.ts';
import type { ClientState } from '../conversation.ts';

/** Their indexes are the bytes of the file. */
const states: readonly ClientState[] = ['idle', 'busy', 'replying'];

/** One byte for each client. A write takes about a microsecond; nothing waits for a disk. */
export class ClientMarks {
  /** Of the file; a child may inherit it. */
  readonly descriptor: number;
  readonly #byte = new Uint8Array(1);

  /** @param descriptor Of a file that exists. @default a new file without a name */
  constructor(descriptor: number = temporaryFile('spillway-cache-clients-')) {
    this.descriptor = descriptor;
  }

  set(id: number, state: ClientState): void {
    this.#byte[0] = states.indexOf(state);
    writeSync(this.descriptor, this.#byte, 0, 1, id);
  }

  /** A client without a mark is idle. */
  of(id: number): ClientState {
    const isThere = readSync(this.descriptor, this.#byte, 0, 1, id) === 1;
    return (isThere ? states[this.#byte[0] ?? 0] : undefined) ?? 'idle';
  }

  close(): void {
    closeSync(this.descriptor);
  }
}
