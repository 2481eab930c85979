// Output of child processes: bounded in memory for the live view, and in files on request.
import { createWriteStream, existsSync, mkdirSync, openSync, type WriteStream } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { InputError, RingBuffer } from '../../core/base/index.ts';
import { LineWriter } from './line-writer.ts';

/** Lines kept per child in memory. */
const linesKeptMax = 200;

export class ChildLogs {
  readonly #directory: string | undefined;
  readonly #recent = new Map<string, RingBuffer<string>>();
  readonly #files = new Map<string, { stream: WriteStream; writer: LineWriter }>();

  /**
   * @param directory Where each child gets a file NAME.log, appended to; undefined keeps output in memory only.
   * @throws {InputError} If it cannot be created or written.
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
      // A disk that fills up later must not stop the stack: the writer then drops all lines.
      this.#files.set(name, { stream, writer: new LineWriter(stream) });
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
    this.#files.get(name)?.writer.line(line);
  }

  /** The last lines of a child, oldest first. */
  recent(name: string): string[] {
    return [...(this.#recent.get(name) ?? [])];
  }

  close(): void {
    for (const { stream } of this.#files.values()) stream.end();
    // A line that is still to come would break the stream before its lines are on the disk.
    this.#files.clear();
  }
}

/** Node's own recursive mkdir never returns where mkdir fails with ENOENT below a folder, as in /proc. */
function makeDirectory(path: string): void {
  if (existsSync(path)) return;
  makeDirectory(dirname(path));
  mkdirSync(path);
}

function notWritable(path: string, error: unknown): InputError {
  const { code } = error as NodeJS.ErrnoException;
  return new InputError(
    `cannot write logs to ${path} (${code}): choose a directory that you may write with --log-dir.`,
    { cause: error },
  );
}
