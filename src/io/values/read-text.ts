// Reads a hand-written file (values, a plan's input, a workload), or standard input.
import { InputError } from '../../core/base/index.ts';
import { readBounded } from '../bounded-files/index.ts';
import { fileProblem } from '../files/index.ts';

export interface InputText {
  /** Name of the file in error messages. */
  readonly name: string;
  readonly text: string;
}

/** Maximum size of such a file; Helm cannot store a release with more values, either. */
const fileBytesMax = 1024 * 1024;

/**
 * @param path `-` is standard input.
 * @param waits See `readBounded`.
 * @throws {InputError} One sentence: which file, and what is wrong with it.
 */
export async function readInputText(path: string, waits = true): Promise<InputText> {
  return path === '-'
    ? { name: 'stdin', text: await readStdin() }
    : { name: path, text: await readNamed(path, waits) };
}

async function readNamed(path: string, waits: boolean): Promise<string> {
  let bytes: Uint8Array | undefined;
  try {
    bytes = await readBounded(path, fileBytesMax, waits);
  } catch (error) {
    throw new InputError(`${path}: ${fileProblem(error)}.`, { cause: error });
  }
  return decode(bytes, path);
}

async function readStdin(): Promise<string> {
  const chunks: Uint8Array[] = [];
  let bytes = 0;
  for await (const chunk of process.stdin as AsyncIterable<Uint8Array>) {
    bytes += chunk.length;
    chunks.push(chunk);
    if (bytes > fileBytesMax) break;
  }
  return decode(bytes > fileBytesMax ? undefined : Buffer.concat(chunks), 'stdin');
}

/** @param bytes Undefined if there are too many. */
function decode(bytes: Uint8Array | undefined, name: string): string {
  if (bytes === undefined) {
    throw new InputError(
      `${name}: larger than ${fileBytesMax} bytes, the maximum for such a file.`,
    );
  }
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes);
  } catch (error) {
    throw new InputError(`${name}: not UTF-8 text; save it as UTF-8.`, { cause: error });
  }
}
