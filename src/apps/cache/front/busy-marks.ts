// Which clients have a request in progress, in a file that outlives the process which writes it: after a crash of the store, the front
// keeps the connections of those that have none.
import { closeSync, openSync, readSync, unlinkSync, writeSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/** One byte for each client. A write takes about a microsecond; nothing waits for a disk. */
export class BusyMarks {
  /** Of the file; a child may inherit it. */
  readonly descriptor: number;
  readonly #byte = new Uint8Array(1);

  /** @param descriptor Of a file that exists. @default a new file without a name */
  constructor(descriptor: number = unnamedFile()) {
    this.descriptor = descriptor;
  }

  set(id: number, isBusy: boolean): void {
    this.#byte[0] = isBusy ? 1 : 0;
    writeSync(this.descriptor, this.#byte, 0, 1, id);
  }

  isBusy(id: number): boolean {
    return readSync(this.descriptor, this.#byte, 0, 1, id) === 1 && this.#byte[0] === 1;
  }

  close(): void {
    closeSync(this.descriptor);
  }
}

function unnamedFile(): number {
  const path = join(tmpdir(), `spillway-cache-clients-${process.pid}-${performance.now()}`);
  const descriptor = openSync(path, 'wx+', 0o600);
  unlinkSync(path);
  return descriptor;
}
