// Values in systemd's unit files.
import { InputError } from '../base/index.ts';

/** C's escapes that systemd knows, of characters that would end a line or a value. */
const escapes: Readonly<Record<string, string>> = {
  '\\': '\\\\',
  '"': '\\"',
  '\n': '\\n',
  '\r': '\\r',
  '\t': '\\t',
};

/**
 * Returns the text as one word of a command line such as `ExecStart=`: `%` begins a specifier and `$` a variable, so both are
 * written twice.
 *
 * @throws {InputError} If it has a NUL.
 * @see systemd.syntax(7), "Quoting"; systemd.service(5), "Command lines"
 */
export function unitWord(text: string): string {
  if (text.includes('\0')) {
    throw new InputError(
      `${JSON.stringify(text)} has a NUL character, which no argument of a program can have; remove it.`,
    );
  }
  const escaped = text.replaceAll('%', '%%').replaceAll('$', '$$$$');
  if (/^[\w@+=:,./%$*-]+$/.test(escaped)) return escaped;
  return `"${escaped.replace(/[\\"\p{Cc}]/gu, (one) => escapes[one] ?? hex(one))}"`;
}

/**
 * Returns the text as the value of a setting that is no command line. It is one line: characters that cannot be in one are
 * spaces, and it does not go on in the next line.
 */
export function unitLine(text: string): string {
  return text
    .replaceAll('%', '%%')
    .replace(/\p{Cc}+/gu, ' ')
    .replace(/[\\\s]+$/, '')
    .trim();
}

/** Of a control character, by its bytes in UTF-8. */
function hex(character: string): string {
  return Array.from(
    new TextEncoder().encode(character),
    (byte) => `\\x${byte.toString(16).padStart(2, '0')}`,
  ).join('');
}
