// Flags of the commands that render the chart: values files, single values, and another chart.
import type { Command } from 'commander';
import { InputError } from '../../core/base/index.ts';
import { problemLines, toPlain } from '../../core/values/index.ts';
import { readValues } from '../../io/values/index.ts';
import { collect } from '../arguments/lists.ts';
import { valuesChecks } from '../values-checks.ts';

export interface ValueFlags {
  readonly file?: readonly string[];
  readonly set?: readonly string[];
  readonly setString?: readonly string[];
  readonly chart?: string;
}

/** Adds `-f`, `--set`, `--set-string` and `--chart`. */
export function addValueFlags(
  command: Command,
  { needsFile }: { readonly needsFile: boolean },
): Command {
  const file = command
    .createOption('-f, --file <file>', 'values file; repeatable, later ones win')
    .argParser(collect)
    .makeOptionMandatory(needsFile);
  return command
    .addOption(file)
    .option('--set <key=value>', 'set one value, as in Helm; repeatable', collect)
    .option('--set-string <key=value>', 'the same, always as a string; repeatable', collect)
    .option(
      '--chart <chart>',
      "folder, archive or reference of another chart (default: Spillway's own)",
    );
}

/** The values as Helm's arguments. */
export function valueArgs({ file = [], set = [], setString = [] }: ValueFlags): readonly string[] {
  return [
    ...file.flatMap((path) => ['-f', path]),
    ...set.flatMap((assignment) => ['--set', assignment]),
    ...setString.flatMap((assignment) => ['--set-string', assignment]),
  ];
}

/**
 * Reads the values, and prints warnings.
 *
 * @returns Undefined for another chart, whose values only Helm knows.
 * @throws {InputError} If a file is missing, is standard input or has a wrong key.
 */
export async function checkedValues(flags: ValueFlags): Promise<unknown> {
  const { file = [], set, setString, chart } = flags;
  if (file.includes('-')) {
    throw new InputError('-f -: Helm reads the file several times; write the values to a file.');
  }
  if (chart !== undefined) return undefined;
  const { written, warnings } = await readValues({
    ...{ files: file, sets: set, setStrings: setString, ...(await valuesChecks('kubernetes')) },
  });
  for (const line of problemLines(warnings)) process.stderr.write(`warning: ${line}\n`);
  return toPlain(written);
}
