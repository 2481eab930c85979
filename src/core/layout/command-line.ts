// Builds the command line of one engine from the keys of its entry, as the upstream chart's
// template does, in the same order. `spillway up` starts engines with it, and a chart's engine
// arguments are the same.
import type { ModelEntry } from '../values/index.ts';
import { textsOf } from './entry-values.ts';
import { type KvEventAddresses, kvEventsWords, movedKvEventsWords } from './kv-event-flags.ts';
import { givenAt } from './read-settings.ts';
import type { Program } from './setting.ts';
import { type SettingName, settingNames, settingsTable } from './table.ts';

/** Come before vllmConfig, as in helm/templates/deployment-vllm-multi.yaml. */
const first: readonly SettingName[] = [
  ...(['gpu', 'profile', 'timeScale', 'tokenizer', 'fault'] as const),
  ...(['revision', 'enableLora', 'enableAutoToolChoice', 'toolCallParser'] as const),
  ...(['enableChunkedPrefill', 'enablePrefixCaching', 'maxModelLen', 'dtype'] as const),
  ...(['tensorParallelSize', 'pipelineParallelSize', 'maxNumSeqs', 'maxNumBatchedTokens'] as const),
  ...(['blockSize', 'numGpuBlocksOverride', 'schedulingPolicy', 'gpuMemoryUtilization'] as const),
  ...(['maxLoras', 'runner', 'convert', 'seed'] as const),
];
/** The template writes them after extraArgs. */
const last: readonly SettingName[] = ['chatTemplate'];
/** Their words are more than the value of the key. */
const composed: readonly SettingName[] = ['model', 'kvEventsConfig'];
/** Rows in neither list come in the order of the table. */
const others = settingNames.filter((name) => ![...first, ...last, ...composed].includes(name));

/**
 * Returns the flags of an entry, without model and address.
 *
 * @param program The program that gets the flags: those that it lacks are omitted.
 * @example entryWords(entry, 'serve', addresses); // ['--max-model-len', '8192', …]
 * @see helm/templates/deployment-vllm-multi.yaml of vllm-project/production-stack
 */
export function entryWords(
  entry: ModelEntry,
  program: Program & ('engine' | 'serve' | 'chart'),
  kvEvents: KvEventAddresses,
): string[] {
  const words = (names: readonly SettingName[]) =>
    names.flatMap((name) => (hasFlag(name, program) ? wordsOf(entry, name) : []));
  return [
    ...words(first),
    ...words(others),
    ...kvEventsWords(entry, kvEvents),
    ...(entry.vllmConfig?.extraArgs ?? []),
    ...(program === 'chart' ? [] : movedKvEventsWords(entry, kvEvents)),
    ...(program === 'engine' ? [] : lmcacheWords(entry)),
    ...words(last),
  ];
}

/** vLLM lacks the flags that only the embedded engine has; the embedded engine has all of them. */
function hasFlag(name: SettingName, program: Program): boolean {
  return program === 'engine' || settingsTable[name].effects[program].kind === 'used';
}

function wordsOf(entry: ModelEntry, name: SettingName): readonly string[] {
  const { flag, keys, value, defaultText } = settingsTable[name];
  return keys.flatMap((key) => {
    const given = givenAt(entry, name, key);
    if (given === undefined) return [];
    if (value.arity === 'switch') {
      // A switch that is off by default needs no `--no-` form.
      if (given === true) return [flag];
      return defaultText === 'on' ? [flag.replace('--', '--no-')] : [];
    }
    if (value.arity === 'repeated') return textsOf(given).flatMap((text) => [flag, text]);
    return [flag, ...textsOf(given)];
  });
}

function lmcacheWords({ lmcacheConfig }: ModelEntry): string[] {
  if (!lmcacheConfig?.enabled) return [];
  const kvRole = lmcacheConfig.kvRole ?? 'kv_both';
  return [
    '--kv-transfer-config',
    JSON.stringify({ kv_connector: 'LMCacheConnectorV1', kv_role: kvRole }),
  ];
}
