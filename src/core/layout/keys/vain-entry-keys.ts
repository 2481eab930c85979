// Finds keys of an entry that are not flags and have no effect in a program.
import type { ModelEntry } from '../../values/index.ts';
import type { VainSetting } from '../effect-notes.ts';
import { isOff, valueAt } from '../entry-values.ts';
import { engineKeys } from './engine-keys.ts';
import type { EngineKeyEffects } from './key-effects.ts';

export function vainEntryKeys(
  entry: ModelEntry,
  program: keyof EngineKeyEffects,
): readonly VainSetting[] {
  return Object.entries(engineKeys).flatMap(([key, effects]) => {
    const effect = effects[program];
    const given = valueAt(entry, key);
    if (effect.kind === 'used' || given === undefined || isOff(given)) return [];
    return [{ source: key, ...effect }];
  });
}
