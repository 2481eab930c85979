// Reads values files and resolves them with presets and --set arguments.
import {
  type Catalogue,
  type Check,
  type ResolvedValues,
  resolveValues,
  subchartValues,
  type Values,
  type ValuesInput,
} from '../../core/values/index.ts';
import { type InputText, readInputText } from './read-text.ts';

export interface LoadOptions {
  /** Paths of `-f` files, left to right; `-` is standard input. */
  readonly files?: readonly string[] | undefined;
  /** Keys below which the files have the values, as those of a chart that contains this one. */
  readonly subchart?: string | undefined;
  /** Arguments of `--set`, left to right. */
  readonly sets?: readonly string[] | undefined;
  /** What a user calls that flag. @default --set */
  readonly setFlag?: ValuesInput['setFlag'];
  /** Arguments of `--set-string`, left to right. */
  readonly setStrings?: readonly string[] | undefined;
  /** Preset to start from, below every file. */
  readonly preset?: string | undefined;
  /** If set, checks that GPUs and models of embedded engines are known. */
  readonly catalogue?: Catalogue | undefined;
  /** Further checks of valid values, in addition to those of the schema. */
  readonly checks?: readonly Check[] | undefined;
}

/**
 * Reads, merges as Helm does, validates, and adds defaults.
 *
 * @throws {InputError} One line per problem: file, line, key, what is allowed.
 * @example const values = await loadValues({ preset: 'laptop', sets:
 * ['routerSpec.containerPort=9000'] });
 */
export async function loadValues(options: LoadOptions): Promise<Values> {
  return (await readValues(options)).values;
}

/** Does the same, and also returns the values as written, for printing. */
export async function readValues(options: LoadOptions): Promise<ResolvedValues> {
  const files: InputText[] = [];
  for (const path of options.files ?? []) files.push(await readInputText(path));
  return resolveValues({ ...options, files });
}

/**
 * The part of each file below the keys of `--subchart`, as a values file of its own.
 *
 * @throws {ValuesError} If no file has it.
 */
export async function readSubchart(
  paths: readonly string[],
  subchart: string,
): Promise<readonly string[]> {
  const files: InputText[] = [];
  for (const path of paths) files.push(await readInputText(path));
  return subchartValues(files, subchart).map((part) => JSON.stringify(part, null, 2));
}
