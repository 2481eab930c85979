// The arguments of an entry that the embedded engine gets: it refuses what vLLM 0.32 would refuse, but files for other releases run here.
import type { ModelEntry } from '../values/index.ts';
import { entryArguments } from './read-settings.ts';
import { type SettingName, settingOfFlag, settingsTable } from './table.ts';
import { isFlag, longForm } from './words.ts';

/** Returns `extraArgs` without unknown flags, their values, and words that belong to no flag. */
export function engineArguments(entry: ModelEntry): readonly string[] {
  const words = entryArguments(entry);
  const kept: string[] = [];
  for (let i = 0; i < words.length; i++) {
    const word = words[i] as string;
    if (!isFlag(word)) continue;
    const [name = ''] = longForm(word).split(/[.=]/);
    const setting = settingOfFlag(name) ?? switchOf(name);
    const { arity } = setting === undefined ? { arity: 'one' } : settingsTable[setting].value;
    if (setting !== undefined) kept.push(word);
    if (word.includes('=') || (arity === 'switch' && !word.includes('.'))) continue;
    const most = arity === 'many' ? Number.POSITIVE_INFINITY : 1;
    for (let taken = 0; taken < most && i + 1 < words.length; taken++) {
      const next = words[i + 1] as string;
      if (isFlag(next)) break;
      if (setting !== undefined) kept.push(next);
      i++;
    }
  }
  return kept;
}

/** The setting of the `--no-` form of a switch. */
function switchOf(name: string): SettingName | undefined {
  const setting = settingOfFlag(name.replace(/^--no-/, '--'));
  return setting !== undefined && settingsTable[setting].value.arity === 'switch'
    ? setting
    : undefined;
}
