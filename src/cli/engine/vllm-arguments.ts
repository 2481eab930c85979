// Converts a command line of `vllm serve` to the form in which the flags here are defined: reads its file
// of flags, normalizes spellings, and keeps the last occurrence of a repeated list.
import { plainWords, settingNames, settingsTable } from '../../core/layout/index.ts';
import { flagWords, readFlagFile } from '../arguments/flag-file.ts';

/**
 * @returns The same flags, each as `--long-name value` or `--long-name=value`.
 * @throws {InputError} If the file of `--config` cannot be read as a list of flags.
 * @example vllmArguments(['-tp=2', '--max_model_len', '8K']); // ['--tensor-parallel-size=2', '--max-model-len', '8K']
 */
export function vllmArguments(args: readonly string[]): string[] {
  return listFlags.reduce(lastOccurrence, plainWords(withConfigFile(args)));
}

/** Flags with several values; commander would concatenate repeated lists. */
const listFlags = settingNames
  .map((name) => settingsTable[name])
  .filter(({ value }) => value.arity === 'many')
  .map(({ flag }) => flag);

/** Keeps only the last occurrence of a flag and its values. */
function lastOccurrence(args: readonly string[], flag: string): string[] {
  const isOf = (arg: string) => arg === flag || arg.startsWith(`${flag}=`);
  const last = args.findLastIndex(isOf);
  let isDropped = false;
  return args.filter((arg, i) => {
    if (isOf(arg)) isDropped = i < last;
    else if (arg.startsWith('-')) isDropped = false;
    return !isDropped;
  });
}

/** Puts the flags of a file first, so that those of the command line override them. */
function withConfigFile(args: readonly string[]): readonly string[] {
  const file = readFlagFile(args);
  if (file === undefined) return args;
  const { rest } = file;
  const isModelFirst = rest[0] !== undefined && !rest[0].startsWith('-');
  const own = Object.entries(file.flags).flatMap(([name, value]) => {
    if (name === 'model' && isModelFirst) return [];
    return value === false ? [`--no-${name}`] : flagWords(name, value);
  });
  return isModelFirst ? [rest[0] as string, ...own, ...rest.slice(1)] : [...own, ...rest];
}
