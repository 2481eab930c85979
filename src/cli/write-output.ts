// Writes the files that flags of a command name.
import { writeFile } from 'node:fs/promises';
import { InputError } from '../core/base/index.ts';
import { fileProblem } from '../io/paths/index.ts';

/**
 * @param what What the file holds, for the sentence: `Cannot write the page to FILE`.
 * @throws {InputError} If it cannot be written.
 */
export async function writeOutput(file: string, what: string, text: string): Promise<void> {
  try {
    await writeFile(file, text);
  } catch (error) {
    throw new InputError(`Cannot write the ${what} to ${file}: ${fileProblem(error)}.`, {
      cause: error,
    });
  }
}
