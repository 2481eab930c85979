// Parses JSON with the error messages of Python's json module.
import { jsonFault } from './json-fault.ts';

/**
 * @throws {SyntaxError} With Python's message.
 * @example parsePythonJson(''); // SyntaxError: Expecting value: line 1 column 1 (char 0)
 */
export function parsePythonJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    const { position, words } = jsonFault(text);
    const before = text.slice(0, position).split('\n');
    const column = (before.at(-1)?.length ?? 0) + 1;
    throw new SyntaxError(`${words}: line ${before.length} column ${column} (char ${position})`);
  }
}
