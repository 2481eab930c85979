// Where the output of children goes: a bounded memory for the live view, and files if asked for.
import { createWriteStream, existsSync, mkdirSync, openSync, type WriteStream } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { InputError, RingBuffer } from '../../core/base/index.ts';

/** Lines kept per child in memory. */
const linesKeptMax = 200;
/** Bytes that may wait for the disk; more lines are dropped and counted. */
const pendingBytesMax = 1 << 20;

export class ChildLogs {
  readonly #directory: string | undefined;
  readonly #recent = new Map<string, RingBuffer<string>>();
  readonly #files = new Map<string, { stream: WriteStream; droppedLines: number }>();

  /**
   * @param directory Where each child gets a file NAME.log, appended to; undefined: memory only.
   * @throws {InputError} If it cannot be made or written.
   */
  constructor(directory: string | undefined) {
    this.#directory = directory === undefined ? undefined : resolve(directory);
    if (this.#directory === undefined) return;
    try {
      makeDirectory(this.#directory);
    } catch (error) {
      throw notWritable(this.#directory, error);
    }
  }

  /** Opens the file of a child, so that a missing permission shows before anything starts. */
  open(name: string): void {
    if (this.#directory === undefined) return;
    const path = join(this.#directory, `${name.replace(/[^\w.-]+/g, '-')}.log`);
    try {
      const stream = createWriteStream(path, { fd: openSync(path, 'a') });
      // A disk that fills up later must not end the stack.
      stream.on('error', () => this.#files.delete(name));
      this.#files.set(name, { stream, droppedLines: 0 });
    } catch (error) {
      throw notWritable(path, error);
    }
  }

  add(name: string, line: string): void {
    let recent = this.#recent.get(name);
    if (!recent) {
      recent = new RingBuffer<string>({ itemsMax: linesKeptMax });
      this.#recent.set(name, recent);
    }
    recent.push(line);
    const file = this.#files.get(name);
    if (!file) return;
    if (file.stream.writableLength > pendingBytesMax) {
      file.droppedLines += 1;
      return;
    }
    if (file.droppedLines > 0) file.stream.write(`[${file.droppedLines} lines dropped]\n`);
    file.droppedLines = 0;
    file.stream.write(`${line}\n`);
  }

  /** The last lines of a child, oldest first. */
  recent(name: string): string[] {
    return [...(this.#recent.get(name) ?? [])];
  }

  close(): void {
    for (const { stream } of this.#files.values()) stream.end();
  }
}

/** Node's own recursive mkdir never returns where mkdir says ENOENT below a folder, as in /proc. */
function makeDirectory(path: string): void {
  if (existsSync(path)) return;
  makeDirectory(dirname(path));
  mkdirSync(path);
}

function notWritable(path: string, error: unknown): InputError {
  const { code } = error as NodeJS.ErrnoException;
  return new InputError(
    `cannot write logs to ${path} (${code ?? 'unknown error'}): choose a directory that you may write with --log-dir.`,
    { cause: error },
  );
}
