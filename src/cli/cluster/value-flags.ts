// Flags of the commands that render the chart: values files, single values, and another chart.
import { rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Command } from 'commander';
import { InputError } from '../../core/base/index.ts';
import { findPreset, problemLines, writtenValues } from '../../core/values/index.ts';
import { temporaryFolder } from '../../io/temporary/index.ts';
import { readSubchart, readValues } from '../../io/values/index.ts';
import { collect, subchartFlag } from '../arguments/lists.ts';
import { checkRouterArguments, routerNotes } from '../router-arguments.ts';
import { checkRelease, imageNotes, unclearArguments, valuesChecks } from '../values-checks.ts';

export interface ValueFlags {
  readonly file?: readonly string[];
  readonly subchart?: string;
  readonly set?: readonly string[];
  readonly setString?: readonly string[];
  readonly preset?: string;
  readonly chart?: string;
}

/** Adds `-f`, `--subchart`, `--set`, `--set-string`, `--preset` and `--chart`. */
export function addValueFlags(command: Command): Command {
  return command
    .option('-f, --file <file>', 'values file; repeatable, later ones win', collect)
    .option(...subchartFlag)
    .option('--set <key=value>', 'set one value, as in Helm; repeatable', collect)
    .option('--set-string <key=value>', 'the same, always as a string; repeatable', collect)
    .option('--preset <name>', 'preset to start from ("spillway config presets" lists them)')
    .option(
      '--chart <chart>',
      "folder, archive or reference of another chart (default: Spillway's own)",
    );
}

/**
 * Runs the work with the values as Helm's arguments. A preset, and the part of each file with `--subchart`, become files for that time,
 * which only their owner reads.
 *
 * @throws {InputError} If there is no such preset, or no such part.
 */
export async function withValueArgs<Result>(
  flags: ValueFlags,
  work: (args: readonly string[]) => Promise<Result>,
): Promise<Result> {
  const { file = [], subchart } = flags;
  const preset =
    flags.preset === undefined ? [] : [findPreset(flags.preset, `--preset ${flags.preset}`).yaml];
  const parts = subchart === undefined ? [] : await readSubchart(file, subchart);
  const texts = [...preset, ...parts];
  const given = subchart === undefined ? file : [];
  if (texts.length === 0) return work(helmArgs(given, flags));
  const folder = temporaryFolder('spillway-values-');
  try {
    const written = texts.map((_, index) => join(folder, `values-${index}.yaml`));
    for (const [index, text] of texts.entries()) {
      await writeFile(written[index] as string, text, { mode: 0o600 });
    }
    return await work(helmArgs([...written, ...given], flags));
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

function helmArgs(
  files: readonly string[],
  { set = [], setString = [] }: ValueFlags,
): readonly string[] {
  return [
    ...files.flatMap((path) => ['-f', path]),
    ...set.flatMap((assignment) => ['--set', assignment]),
    ...setString.flatMap((assignment) => ['--set-string', assignment]),
  ];
}

/**
 * Reads the values, and prints warnings.
 *
 * @param release Name of the Helm release.
 * @returns Undefined for another chart, whose values only Helm knows.
 * @throws {InputError} If a file is missing, is standard input or has a wrong key.
 */
export async function checkedValues(flags: ValueFlags, release: string): Promise<unknown> {
  const { file = [], subchart, set, setString, preset, chart } = flags;
  if (file.includes('-')) {
    throw new InputError('-f -: Helm reads the file several times; write the values to a file.');
  }
  if (chart !== undefined) return undefined;
  const read = await readValues({
    ...{ files: file, subchart, sets: set, setStrings: setString, preset },
    ...(await valuesChecks('kubernetes', { release })),
  });
  await checkRelease(read, release);
  await checkRouterArguments(read, 'kubernetes');
  const { written, warnings } = read;
  const notes = [
    ...unclearArguments(read),
    ...(await routerNotes(read, 'kubernetes')),
    ...(await imageNotes(read)),
  ];
  for (const line of problemLines([...warnings, ...notes]))
    process.stderr.write(`warning: ${line}\n`);
  return writtenValues(written);
}
