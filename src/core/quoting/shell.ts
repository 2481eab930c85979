// Words of a POSIX shell.
import { InputError } from '../base/index.ts';

/**
 * Returns the text as one word, in which the shell sees nothing but its characters.
 *
 * @throws {InputError} If it has a NUL, which no argument of a program can have.
 * @example shellWord("it's"); // 'it'\''s'
 */
export function shellWord(text: string): string {
  if (text.includes('\0')) {
    throw new InputError(
      `${JSON.stringify(text)} has a NUL character, which no argument of a program can have; remove it.`,
    );
  }
  return /^[\w@%+=:,./-]+$/.test(text) ? text : `'${text.replaceAll("'", `'\\''`)}'`;
}
