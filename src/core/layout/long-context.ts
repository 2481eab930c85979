// Determines whether an engine may have a longer context than its model was trained for.
import type { ModelEntry, Values } from '../values/index.ts';
import { currentTransfers } from './former-flags.ts';
import { readWords } from './read-settings.ts';

const variable = 'VLLM_ALLOW_LONG_MAX_MODEL_LEN';

/**
 * Returns true if vLLM's environment variable, or overrides of the model's own configuration, allow
 * it.
 */
export function allowsLongContext(
  { env = [], vllmConfig }: ModelEntry,
  { servingEngineSpec: { configs, env: envOfAll } }: Values,
): boolean {
  const named = [...envOfAll, ...env].findLast((entry) => entry['name'] === variable);
  const given = String(named?.['value'] ?? configs[variable] ?? '');
  const { sources } = readWords(currentTransfers(vllmConfig?.extraArgs ?? []));
  return sources.has('hfOverrides') || /^\s*([1-9]\d*|true)\s*$/i.test(given);
}
