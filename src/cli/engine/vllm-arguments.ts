// Converts a command line of `vllm serve` to the form in which the flags here are defined: reads its file
// of flags, normalizes spellings, and keeps the last occurrence of a repeated list.
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { InputError } from '../../core/base/index.ts';
import { plainWords, settingNames, settingsTable } from '../../core/layout/index.ts';

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
  const at = args.findIndex((arg) => arg === '--config' || arg.startsWith('--config='));
  if (at === -1) return args;
  const isInline = args[at] !== '--config';
  const path = isInline ? (args[at] as string).slice('--config='.length) : args[at + 1];
  if (path === undefined || !/\.ya?ml$/.test(path)) {
    throw new InputError(
      `--config is ${path === undefined ? 'without a value' : `"${path}"`}; it must name a .yaml file of flags and their values.`,
    );
  }
  const rest = [...args.slice(0, at), ...args.slice(at + (isInline ? 1 : 2))];
  const isModelFirst = rest[0] !== undefined && !rest[0].startsWith('-');
  const own = flagsOf(path, isModelFirst);
  return isModelFirst ? [rest[0] as string, ...own, ...rest.slice(1)] : [...own, ...rest];
}

function flagsOf(path: string, hasModel: boolean): string[] {
  const file = readFlags(path);
  return Object.entries(file).flatMap(([key, value]) => {
    if (key === 'model' && hasModel) return [];
    if (value === null) return [];
    if (typeof value === 'boolean') return [value ? `--${key}` : `--no-${key}`];
    if (Array.isArray(value)) return value.length === 0 ? [] : [`--${key}`, ...value.map(String)];
    return [`--${key}`, typeof value === 'object' ? JSON.stringify(value) : String(value)];
  });
}

function readFlags(path: string): Readonly<Record<string, unknown>> {
  let file: unknown;
  try {
    // The YAML parser is loaded only if there is a file.
    const yaml = createRequire(import.meta.url)('yaml') as typeof import('yaml');
    file = yaml.parse(readFileSync(path, 'utf8'));
  } catch (cause) {
    const [reason] = (cause instanceof Error ? cause.message : String(cause)).split('\n');
    throw new InputError(`--config ${path} cannot be read: ${reason}`, { cause });
  }
  if (typeof file !== 'object' || file === null || Array.isArray(file)) {
    throw new InputError(`--config ${path} must be a list of flags, each "name: value".`);
  }
  return file as Readonly<Record<string, unknown>>;
}
