// The file of flags that vLLM's commands read with --config: in YAML, by the names of the flags.
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { InputError } from '../../core/base/index.ts';

export interface FlagFile {
  /** Values by the names of the flags, without their dashes. */
  readonly flags: Readonly<Record<string, unknown>>;
  /** The command line without `--config`. */
  readonly rest: readonly string[];
}

/**
 * Reads the file that a command line names with `--config`.
 *
 * @returns Undefined if it names none.
 * @throws {InputError} If the file cannot be read as a list of flags.
 */
export function readFlagFile(args: readonly string[]): FlagFile | undefined {
  const at = args.findIndex((arg) => arg === '--config' || arg.startsWith('--config='));
  if (at === -1) return undefined;
  const isInline = args[at] !== '--config';
  const path = isInline ? (args[at] as string).slice('--config='.length) : args[at + 1];
  if (path === undefined || !/\.ya?ml$/.test(path)) {
    throw new InputError(
      `--config is ${path === undefined ? 'without a value' : `"${path}"`}; it must name a .yaml file of flags and their values.`,
    );
  }
  return {
    flags: flagsIn(path),
    rest: [...args.slice(0, at), ...args.slice(at + (isInline ? 1 : 2))],
  };
}

/** The words of a command line for a flag with a value; none for a list without items, and for a switch that is off. */
export function flagWords(name: string, value: unknown): string[] {
  if (value === null || value === false) return [];
  if (value === true) return [`--${name}`];
  if (Array.isArray(value)) return value.length === 0 ? [] : [`--${name}`, ...value.map(String)];
  return [`--${name}`, typeof value === 'object' ? JSON.stringify(value) : String(value)];
}

function flagsIn(path: string): Readonly<Record<string, unknown>> {
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
