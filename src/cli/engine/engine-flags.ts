// The flags of `spillway engine`, from the table of settings: vLLM's under vLLM's names, and a few of ours.
import { type Command, Option } from 'commander';
import {
  type SettingName,
  type Settings,
  settingSubjects,
  settingsTable,
} from '../../core/layout/index.ts';
import { addHelpEnd } from '../help.ts';
import type { LogFlags } from '../log-flags.ts';

/** Adds the description, the argument and all flags. */
export function defineEngineFlags(bare: Command): Command {
  const command = bare
    .description(
      'Run an embedded engine: an emulated vLLM server with its API and its timing, whose text is synthetic.',
    )
    .argument('[model]', 'model to emulate, same as --model');
  addHelpEnd(
    command,
    'Other flags of `vllm serve` are accepted but have no effect; the log says why.',
  );
  for (const [subject, rows] of Object.entries(settingSubjects)) {
    command.optionsGroup(`${subject}:`);
    for (const name of Object.keys(rows)) {
      for (const option of optionsOf(name as SettingName)) command.addOption(option);
    }
  }
  return command;
}

/** The parsed flags; those with a default are always set. */
export type EngineFlags = Settings &
  LogFlags &
  Required<
    Pick<
      Settings,
      | 'host'
      | 'port'
      | 'count'
      | 'gpu'
      | 'model'
      | 'timeScale'
      | 'seed'
      | 'shutdownTimeout'
      | 'kvCacheMetricsSample'
    >
  >;

/** Returns the option of a setting and, for a switch, its opposite; options without effect are hidden. */
function optionsOf(name: SettingName): readonly Option[] {
  const { flag, value, about, aboutNo, effects, ...row } = settingsTable[name];
  const isHidden = effects.engine.kind !== 'used';
  if (value.arity === 'switch') {
    const opposite = new Option(flag.replace('--', '--no-'), aboutNo).default(undefined);
    return [
      new Option(flag, about).hideHelp(isHidden),
      opposite.hideHelp(isHidden || aboutNo === undefined),
    ];
  }
  const option = new Option(`${flag} ${value.placeholder}`, about).hideHelp(isHidden);
  if (value.choices) option.choices(value.choices);
  option.default(row.default);
  switch (value.arity) {
    case 'one':
      return [option.argParser((text) => value.parse([text], flag))];
    case 'repeated':
      return [option.argParser<unknown>((text, before) => collected(text, before))];
    case 'many':
      return [option];
  }
}

function collected(text: string, before: unknown): readonly unknown[] {
  return [...(Array.isArray(before) ? (before as unknown[]) : []), text];
}
