// A key that the servers of a group share: each sends it to the others and checks theirs.
import { InputError } from '../../core/base/index.ts';
import { KeyFile, type KeyFileOptions } from './key-file.ts';
import { secretCheck } from './secret-check.ts';

export interface SharedKey {
  /** What this server sends: the first key of a file. */
  readonly current: string;
  /** Whether another server's key is right, in constant time. */
  isRight(given: string): boolean;
  /** Follows the file from now on. */
  follow(): void;
  stop(): void;
}

/** Where the key comes from; at most one of both. */
export interface SharedKeySource extends Pick<KeyFileOptions, 'log' | 'pollMs'> {
  /** File with one key a line; further ones are accepted, too, so that the servers can change over. */
  readonly path: string | undefined;
  /** What names the file: `--peers-key-file`. */
  readonly flag: string;
  readonly key: string | undefined;
  /** Environment variable of `key`. */
  readonly variable: string;
}

/** @returns Undefined without a source. @throws {InputError} If the file cannot be used, the key is none, or there are two sources. */
export async function openSharedKey({
  path,
  flag,
  key,
  variable,
  ...following
}: SharedKeySource): Promise<SharedKey | undefined> {
  if (path !== undefined && key !== undefined) {
    throw new InputError(`${flag} and ${variable} exclude each other: give one of them.`);
  }
  if (path !== undefined) return await KeyFile.open({ path, name: flag, ...following });
  if (key === undefined) return undefined;
  if (!/^[\x21-\x7e]+$/.test(key)) {
    throw new InputError(`${variable} may contain only visible ASCII characters, without spaces.`);
  }
  return { current: key, isRight: secretCheck(key), follow() {}, stop() {} };
}
