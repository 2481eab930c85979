// `spillway config`: shows, checks and describes values files.
import { Command, CommanderError, Option } from 'commander';
import { InputError } from '../../core/base/index.ts';
import { models } from '../../core/engine/index.ts';
import type { Target } from '../../core/layout/index.ts';
import {
  defaultPreset,
  findPreset,
  fromPlain,
  groupedLines,
  type Problem,
  presets,
  problemLines,
  renderValues,
  toPlain,
  ValuesError,
  valuesJsonSchema,
} from '../../core/values/index.ts';
import { type LoadOptions, readValues } from '../../io/values/index.ts';
import { collect, subchartFlag } from '../arguments/lists.ts';
import { refuseArguments } from '../arguments/no-arguments.ts';
import { checkRouterArguments } from '../router-arguments.ts';
import { checkRelease, notesFor, notesForBoth, valuesChecks } from '../values-checks.ts';

interface SourceFlags {
  readonly subchart?: string;
  readonly preset?: string;
  readonly file: readonly string[];
  readonly set: readonly string[];
  readonly setString: readonly string[];
}

/** Destination of the output: a stream of the process, or one of a test. */
export interface Output {
  write(text: string): unknown;
}

export function configCommand(
  output: Output = process.stdout,
  errors: Output = process.stderr,
): Command {
  const command = new Command('config').description('Show, edit, check and describe values files.');

  withSources(command.command('show'))
    .description('Print the merged and validated values as YAML.')
    .option('--defaults', 'include all defaults')
    .option('--json', 'print JSON')
    .action(async (flags: SourceFlags & { defaults?: boolean; json?: boolean }) => {
      const { values, written, warnings } = await readValues(await sources(flags, defaultPreset));
      warn(warnings);
      if (flags.json) {
        output.write(`${JSON.stringify(flags.defaults ? values : toPlain(written), null, 2)}\n`);
      } else {
        output.write(
          renderValues(flags.defaults ? fromPlain(values, { source: 'defaults' }) : written),
        );
      }
    });

  withSources(command.command('validate'))
    .description(
      'Check values: exit status 0 if they are valid, 2 if not. Warns about keys without effect, once for equal keys of several entries.',
    )
    .addOption(
      new Option(
        '--for <target>',
        'what the values are for: "spillway up", or the Helm chart, which lists each key without effect there (default: both, with their number)',
      ).choices(['up', 'kubernetes']),
    )
    .option(
      '--release <name>',
      'name of the Helm release, with which names of objects in Kubernetes begin (default: vllm)',
    )
    .option('--json', 'print all problems and warnings as JSON')
    .action(async (flags: SourceFlags & { for?: Target; release?: string; json?: boolean }) => {
      const given = await sources(flags, undefined);
      if (flags.release !== undefined && flags.for === 'up') {
        throw new InputError('--release is for Kubernetes; leave it out, or --for up.');
      }
      if (!given.preset && [...flags.file, ...flags.set, ...flags.setString].length === 0) {
        throw new InputError('nothing to check; give -f FILE, --preset NAME or --set KEY=VALUE.');
      }
      try {
        const target = flags.for ?? 'both';
        const { release } = flags;
        const read = await readValues({ ...given, ...(await valuesChecks(target, { release })) });
        if (release !== undefined) await checkRelease(read, release);
        await checkRouterArguments(read, target);
        if (flags.json) {
          const targets: readonly Target[] = flags.for ? [flags.for] : ['up', 'kubernetes'];
          const notes = await Promise.all(targets.map((one) => notesFor(read, one)));
          const warnings = [...read.warnings, ...notes.flat()].map(flat);
          output.write(`${JSON.stringify({ valid: true, problems: [], warnings }, null, 2)}\n`);
        } else if (flags.for) {
          warn([...read.warnings, ...(await notesFor(read, flags.for))]);
          output.write('valid\n');
        } else {
          const { problems, lines } = await notesForBoth(read);
          warn([...read.warnings, ...problems]);
          for (const line of lines) errors.write(`${line}\n`);
          output.write('valid\n');
        }
      } catch (error) {
        if (!(error instanceof ValuesError)) throw error;
        if (flags.json) {
          const problems = error.problems.map(flat);
          output.write(`${JSON.stringify({ valid: false, problems }, null, 2)}\n`);
        } else {
          errors.write(`${problemLines(error.problems).join('\n')}\n`);
        }
        throw new CommanderError(error.exitCode, 'spillway.invalid', error.message);
      }
    });

  command
    .command('schema')
    .description('Print the JSON Schema of the values file.')
    .action(() => void output.write(valuesJsonSchema()));

  command
    .command('presets')
    .argument('[name]', 'print the values file of this preset')
    .description('List the presets and what each needs to run, or print one of them.')
    .option('--json', 'print JSON')
    .action((wanted: string | undefined, flags: { json?: boolean }) => {
      if (wanted !== undefined) {
        const preset = findPreset(wanted);
        output.write(flags.json ? `${JSON.stringify(preset, null, 2)}\n` : preset.yaml);
        return;
      }
      if (flags.json) {
        const rows = presets.map(({ name, summary, needs }) => ({ name, summary, needs }));
        output.write(`${JSON.stringify(rows, null, 2)}\n`);
        return;
      }
      const width = Math.max(...presets.map(({ name }) => name.length));
      for (const { name, summary, needs } of presets) {
        output.write(`${name.padEnd(width)}  ${summary} Needs ${needs}.\n`);
      }
    });

  command
    .command('models')
    .argument('[text]', 'only models whose names have this text, in any case')
    .description('List the models of the catalogue, which embedded engines emulate.')
    .option('--json', 'print JSON')
    .action((text: string | undefined, flags: { json?: boolean }) => {
      const wanted = text?.toLowerCase() ?? '';
      const names = models
        .map(({ name }) => name)
        .filter((name) => name.toLowerCase().includes(wanted))
        .toSorted((a, b) => a.localeCompare(b, 'en', { numeric: true }));
      if (names.length === 0) {
        throw new InputError(
          `no model of the catalogue has "${text}" in its name; "spillway config models" lists all ${models.length}.`,
        );
      }
      output.write(flags.json ? `${JSON.stringify(names, null, 2)}\n` : `${names.join('\n')}\n`);
    });

  command
    .command('menu')
    .description(
      'Edit a values file in a menu of all keys, with descriptions, defaults and search.',
    )
    .option('-f, --file <file>', 'values file; made if it does not exist', 'values.yaml')
    .option('--preset <name>', 'start a new file from a preset; see "spillway config presets"')
    .action(async ({ file, preset }: { file: string; preset?: string }) => {
      const { stdin, stdout } = process;
      if (!stdin.isTTY || !stdout.isTTY) {
        throw new InputError(
          'config menu needs a terminal; without one, edit the file and check it by "spillway config validate -f FILE".',
        );
      }
      const { runConfigMenu } = await import('../menu/config-menu.ts');
      const { catalogue, checks = [] } = await valuesChecks('up', { anyModel: true });
      const end = await runConfigMenu({
        ...{ file, preset, checks, input: stdin, output: stdout },
        catalogue,
      });
      if (end.isSaved) output.write(`saved ${file}; run it: spillway up -f ${file}\n`);
      else output.write(end.changes > 0 ? 'not saved\n' : 'no changes\n');
    });

  return command;

  function warn(warnings: readonly Problem[]): void {
    for (const line of groupedLines(warnings)) errors.write(`${line}\n`);
  }
}

/** Returns a problem as JSON: its place and its sentence. */
function flat({ place, sentence }: Problem): Problem['place'] & { readonly sentence: string } {
  return { ...place, sentence };
}

/** Adds the flags for the sources of values. */
function withSources(command: Command): Command {
  return command
    .hook('preAction', refuseArguments)
    .allowExcessArguments()
    .option('--preset <name>', 'start from a preset; see "spillway config presets"')
    .option(
      '-f, --file <file>',
      'values file; repeatable, later files win; - for standard input',
      collect,
      [],
    )
    .option(...subchartFlag)
    .option('--set <key=value>', 'set one value, as in Helm; repeatable', collect, [])
    .option('--set-string <key=text>', 'the same, always as a string', collect, []);
}

/** @param fallback The preset to use when neither preset nor file is given. */
async function sources(flags: SourceFlags, fallback: string | undefined): Promise<LoadOptions> {
  return {
    preset: flags.preset ?? (flags.file.length === 0 ? fallback : undefined),
    files: flags.file,
    subchart: flags.subchart,
    sets: flags.set,
    setStrings: flags.setString,
    ...(await valuesChecks('up', { anyModel: true })),
  };
}
