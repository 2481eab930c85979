// `spillway config`: shows, checks and describes values files.
import { Command, CommanderError } from 'commander';
import { InputError } from '../../core/base/index.ts';
import {
  defaultPreset,
  fromPlain,
  type Problem,
  presets,
  problemLines,
  renderValues,
  toPlain,
  ValuesError,
  valuesJsonSchema,
} from '../../core/values/index.ts';
import { loadCatalogue } from '../../io/models/index.ts';
import { type LoadOptions, readValues } from '../../io/values/index.ts';

interface SourceFlags {
  readonly preset?: string;
  readonly file: readonly string[];
  readonly set: readonly string[];
  readonly setString: readonly string[];
}

/** Where the command writes; a stream of the process unless a test gives another. */
export interface Output {
  write(text: string): unknown;
}

export function configCommand(
  output: Output = process.stdout,
  errors: Output = process.stderr,
): Command {
  const command = new Command('config').description('Show, check and describe values files.');

  withSources(command.command('show'))
    .description('Print the merged and validated values as YAML.')
    .option('--defaults', 'include every default')
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
    .description('Check values; exit status 0 if they can be used, 2 if not.')
    .option('--json', 'print the problems as JSON')
    .action(async (flags: SourceFlags & { json?: boolean }) => {
      const given = await sources(flags, undefined);
      if (!given.preset && [...flags.file, ...flags.set, ...flags.setString].length === 0) {
        throw new InputError('nothing to check; give -f FILE, --preset NAME or --set KEY=VALUE.');
      }
      try {
        const { warnings } = await readValues(given);
        warn(warnings);
        output.write(flags.json ? '{"valid":true,"problems":[]}\n' : 'valid\n');
      } catch (error) {
        if (!(error instanceof ValuesError)) throw error;
        if (flags.json) {
          const problems = error.problems.map(({ place, sentence }) => ({ ...place, sentence }));
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
    .description('List the presets.')
    .option('--json', 'print JSON')
    .action((flags: { json?: boolean }) => {
      if (flags.json) {
        const rows = presets.map(({ name, summary }) => ({ name, summary }));
        output.write(`${JSON.stringify(rows, null, 2)}\n`);
        return;
      }
      const width = Math.max(...presets.map(({ name }) => name.length));
      for (const { name, summary } of presets) output.write(`${name.padEnd(width)}  ${summary}\n`);
    });

  return command;

  function warn(warnings: readonly Problem[]): void {
    for (const line of problemLines(warnings)) errors.write(`${line}\n`);
  }
}

/** The flags that say where values come from; the same for every command that takes values. */
function withSources(command: Command): Command {
  const collect = (value: string, earlier: readonly string[]) => [...earlier, value];
  return command
    .option('--preset <name>', 'start from a preset; see "spillway config presets"')
    .option('-f, --file <file>', 'values file; repeatable, later ones win; - is stdin', collect, [])
    .option('--set <key=value>', 'set one value, as with helm; repeatable', collect, [])
    .option('--set-string <key=text>', 'the same, always a text', collect, []);
}

/** @param fallback The preset to use when neither preset nor file is given. */
async function sources(flags: SourceFlags, fallback: string | undefined): Promise<LoadOptions> {
  return {
    preset: flags.preset ?? (flags.file.length === 0 ? fallback : undefined),
    files: flags.file,
    sets: flags.set,
    setStrings: flags.setString,
    catalogue: await loadCatalogue(),
  };
}
