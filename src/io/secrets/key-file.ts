// Keys of callers in a file, which is followed: keys are exchanged without a restart.
import { InputError } from '../../core/base/index.ts';
import { readBounded } from '../bounded-files/index.ts';
import { fileProblem } from '../files/index.ts';
import type { Logger } from '../log/index.ts';
import { secretCheck } from './secret-check.ts';

export interface KeyFileOptions {
  readonly path: string;
  /** What names the file, in messages: `--api-key-file`. */
  readonly name: string;
  readonly log: Pick<Logger, 'info' | 'warning'>;
  /** Interval between readings. @default 5000 */
  readonly pollMs?: number | undefined;
}

/** Maximum size of a file. */
const fileBytesMax = 65_536;
/** Each request compares its key with all of them. */
const keysMax = 100;

/**
 * One key a line; lines that are empty or begin with `#` are none. Several keys are valid at once, so that clients can
 * change over. The file is read again periodically, by content, as Kubernetes switches a secret's link over. New
 * contents take effect once they were read twice in a row, so that a file that is just being written is not taken for a
 * shorter one. A file that is invalid or gone leaves the last keys in force, and is reported once.
 */
export class KeyFile {
  readonly #options: KeyFileOptions;
  #text: string;
  #lastRead: string;
  #isRight: (given: string) => boolean;
  #current: string;
  #problem: string | undefined;
  #timer: NodeJS.Timeout | undefined;
  #isStopped = false;

  /** @throws {InputError} If the file cannot be read or has no keys. */
  static async open(options: KeyFileOptions): Promise<KeyFile> {
    const text = await read(options);
    return new KeyFile(options, text, keysOf(text, options));
  }

  private constructor(options: KeyFileOptions, text: string, keys: readonly string[]) {
    this.#options = options;
    this.#text = text;
    this.#lastRead = text;
    this.#isRight = secretCheck(...keys);
    this.#current = keys[0] as string;
  }

  /** The first key. */
  get current(): string {
    return this.#current;
  }

  /** Whether a caller's key is one of the file. */
  isRight(given: string): boolean {
    return this.#isRight(given);
  }

  /** Follows the file from now on. */
  follow(): void {
    const look = async () => {
      await this.#look();
      if (!this.#isStopped) this.#schedule(look);
    };
    this.#schedule(look);
  }

  stop(): void {
    this.#isStopped = true;
    clearTimeout(this.#timer);
  }

  #schedule(look: () => Promise<void>): void {
    this.#timer = setTimeout(look, this.#options.pollMs ?? 5_000).unref();
  }

  async #look(): Promise<void> {
    const { name, log } = this.#options;
    try {
      const text = await read(this.#options, false);
      const isSettled = text === this.#lastRead;
      this.#lastRead = text;
      if (!isSettled) return;
      if (text === this.#text) {
        this.#problem = undefined;
        return;
      }
      const keys = keysOf(text, this.#options);
      if (this.#isStopped) return;
      this.#text = text;
      this.#problem = undefined;
      this.#isRight = secretCheck(...keys);
      this.#current = keys[0] as string;
      log.info(`${name}: the new keys are in use (${keys.length})`);
    } catch (error) {
      const message = error instanceof Error ? error.message : String(error);
      if (message === this.#problem) return;
      this.#problem = message;
      log.warning(`${message} The last keys stay in use.`);
    }
  }
}

/** @throws {InputError} */
async function read({ path, name }: KeyFileOptions, waits = true): Promise<string> {
  try {
    const bytes = await readBounded(path, fileBytesMax, waits);
    if (bytes === undefined) throw new InputError(`it is larger than ${fileBytesMax} bytes`);
    return bytes.toString();
  } catch (cause) {
    throw new InputError(`${name}: ${path} cannot be read: ${fileProblem(cause)}.`, { cause });
  }
}

/** @throws {InputError} The message contains no key. */
function keysOf(text: string, { path, name }: KeyFileOptions): readonly string[] {
  const lines = text.split('\n').map((line) => line.trim());
  const keys = lines.filter((line) => line !== '' && !line.startsWith('#'));
  if (keys.length === 0) throw new InputError(`${name}: ${path} has no key; write one a line.`);
  if (keys.length > keysMax) {
    throw new InputError(`${name}: ${path} has ${keys.length} keys; at most ${keysMax} are taken.`);
  }
  const wrong = lines.findIndex(
    (line) => line !== '' && !line.startsWith('#') && !/^[\x21-\x7e]+$/.test(line),
  );
  if (wrong >= 0) {
    throw new InputError(
      `${name}: line ${wrong + 1} of ${path} is no key: only visible ASCII characters, without spaces.`,
    );
  }
  return keys;
}
