// Reads the input of a plan: the file, with flags taking precedence.
import { InputError } from '../../core/base/index.ts';
import { contradictions, type PlanInput, planInputSchema } from '../../core/plan/index.ts';
import {
  type DocumentOverride,
  placeAt,
  readDocument,
  ValuesError,
} from '../../core/values/index.ts';
import { pathBeside } from '../../io/files/index.ts';
import { readInputText } from '../../io/values/index.ts';

export interface ReadInput {
  readonly input: PlanInput;
  /** Runs a lookup for a key; an error gets the key and its place. */
  at<T>(key: string, lookUp: () => T | Promise<T>): Promise<T>;
}

/**
 * @param file Path, `-` for standard input, or undefined for flags only. Paths of traces are relative to the file, or
 *   to the working directory if given by a flag.
 * @throws {InputError} One line per problem: file or flag, line, key, what is allowed.
 */
export async function readPlanInput(
  file: string | undefined,
  flags: readonly DocumentOverride[],
): Promise<ReadInput> {
  const { name, text } =
    file === undefined ? { name: 'flags', text: '' } : await readInputText(file);
  const { value, written } = readDocument(planInputSchema, text, name, flags);
  const contrary = contradictions(value);
  if (contrary.length > 0) {
    throw new ValuesError(
      contrary.map(({ path, sentence }) => ({ place: placeAt(written, path), sentence })),
    );
  }
  const isOfFile = flags.every(({ path }) => path.join('.') !== 'workload.promptTokens');
  const { promptTokens } = value.workload;
  const isBeside = file !== undefined && isOfFile && namesTrace(promptTokens);
  return {
    input: isBeside ? withTrace(value, pathBeside(file, promptTokens.trace)) : value,
    async at(key, lookUp) {
      try {
        return await lookUp();
      } catch (error) {
        if (!(error instanceof InputError)) throw error;
        const sentence = `${key}: ${error.message.replace(/\.$/, '')}`;
        throw new ValuesError([{ place: placeAt(written, key.split('.')), sentence }]);
      }
    },
  };
}

function withTrace(input: PlanInput, trace: string): PlanInput {
  return { ...input, workload: { ...input.workload, promptTokens: { trace } } };
}

/** Whether the prompts come from a trace. */
export function namesTrace(
  promptTokens: PlanInput['workload']['promptTokens'],
): promptTokens is { readonly trace: string } {
  return typeof promptTokens === 'object' && 'trace' in promptTokens;
}
