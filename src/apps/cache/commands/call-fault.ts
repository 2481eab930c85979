// What is wrong with a command before it is executed, in Redis 7's words.
import { argumentsError, type RespCommand } from './call.ts';

/** Characters of arguments, and of a name, that the error repeats. */
const shownMax = 128;

/**
 * Returns the error of a command that does not exist, or that has another number of arguments.
 *
 * @param command That of the name; undefined if there is none. @param args Those after the name.
 */
export function callFault(
  command: Pick<RespCommand, 'min' | 'max'> | undefined,
  name: string,
  args: readonly string[],
): string | undefined {
  if (command === undefined) return unknownText(name, args);
  const { length } = args;
  return length < command.min || length > command.max ? argumentsError(name) : undefined;
}

/** Texts end at a NUL, as in C. */
function unknownText(name: string, args: readonly string[]): string {
  const upToNul = (text: string, length: number) =>
    (text.split('\0', 1)[0] as string).slice(0, length);
  let shown = '';
  for (const arg of args) {
    if (shown.length >= shownMax) break;
    shown += `'${upToNul(arg, shownMax - shown.length)}' `;
  }
  return `ERR unknown command '${upToNul(name, shownMax)}', with args beginning with: ${shown}`;
}
