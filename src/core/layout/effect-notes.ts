// Describes the given settings that have no effect in a program.
import type { ReadSettings } from './read-settings.ts';
import type { Effect, Program } from './setting.ts';
import { settingsTable } from './table.ts';

/** A given setting or key without effect. */
export interface VainSetting {
  /** The key, flag or kwarg that set it. */
  readonly source: string;
  /** `missing` if a real vLLM would behave differently, `none` if nothing is missing. */
  readonly kind: 'none' | 'missing';
  readonly reason: string;
}

/** Returns the settings without effect in a program, in the given order. */
export function vainSettings(
  { settings, sources }: Pick<ReadSettings, 'settings' | 'sources'>,
  program: Program,
): readonly VainSetting[] {
  return [...sources].flatMap(([name, source]) => {
    const effect: Effect = settingsTable[name].effects[program];
    const isOff = [false, 0, undefined].includes(settings[name] as never);
    return effect.kind === 'used' || isOff ? [] : [{ source, ...effect }];
  });
}

/**
 * Returns one sentence per reason.
 *
 * @example effectNotes(vainSettings(readWords(['--enforce-eager']), 'engine')); //
 * ['--enforce-eager has no effect here: step times are …']
 */
export function effectNotes(vain: readonly VainSetting[], owner = ''): readonly string[] {
  const byReason = Map.groupBy(vain, ({ reason }) => reason);
  return [...byReason].map(([reason, rows]) => {
    const sources = rows.map(({ source }) => source);
    const verb = sources.length === 1 ? 'has' : 'have';
    return `${owner}${joinAnd(sources)} ${verb} no effect here: ${reason}.`;
  });
}

function joinAnd(words: readonly string[]): string {
  return words.length < 2 ? words.join('') : `${words.slice(0, -1).join(', ')} and ${words.at(-1)}`;
}
