// Reads a plan's input: the file, then flags over it, then what a trace or Prometheus has measured.
import { readFile } from 'node:fs/promises';
import { InputError } from '../../core/base/index.ts';
import { type PlanInput, planInputSchema } from '../../core/plan/index.ts';
import { type DocumentOverride, readDocument } from '../../core/values/index.ts';

/** Largest input file. */
const fileBytesMax = 1 << 20;

/**
 * @param file Path, or undefined for flags alone.
 * @throws {InputError} One line per problem: file or flag, line, key, what is allowed.
 */
export async function readPlanInput(
  file: string | undefined,
  flags: readonly DocumentOverride[],
): Promise<PlanInput> {
  const text = file === undefined ? '' : await readText(file);
  return readDocument(planInputSchema, text, file ?? 'flags', flags).value;
}

async function readText(file: string): Promise<string> {
  let text: string;
  try {
    text = await readFile(file, 'utf8');
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    throw new InputError(`Cannot read the plan's input ${file}: ${reason}.`, { cause: error });
  }
  if (text.length > fileBytesMax) {
    throw new InputError(`${file} is larger than ${fileBytesMax} bytes; a plan's input is a page.`);
  }
  return text;
}
