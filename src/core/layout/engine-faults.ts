// Finds settings with which vLLM 0.32 would not start, before anything is started.
import { InputError } from '../base/index.ts';
import type { ModelSpec } from '../engine/index.ts';
import type { EngineKind, ModelEntry, Values } from '../values/index.ts';
import { cacheSizeFaults, cacheUrlFaults } from './cache-faults.ts';
import type { EngineFault } from './engine-fault.ts';
import { textsOf } from './entry-values.ts';
import { allowsLongContext } from './long-context.ts';
import { entryArguments, givenAt, readEntry, readWords } from './read-settings.ts';
import { type SettingName, type Settings, settingNames, settingsTable } from './table.ts';

/**
 * @param findModel Returns the shape of an entry's model or stand-in; throws if it is unknown, which is
 * not a fault here.
 */
export function engineFaults(
  values: Values,
  findModel: (name: string, entry: ModelEntry) => ModelSpec,
  kindOf: (entry: ModelEntry) => EngineKind,
): readonly EngineFault[] {
  return values.servingEngineSpec.modelSpec.flatMap((entry, index) => {
    if (!entry.enabled || kindOf(entry) === 'url') return [];
    const base = `servingEngineSpec.modelSpec[${index}]`;
    const path = (key: string) => ['servingEngineSpec', 'modelSpec', index, ...key.split('.')];
    const unreadable = [
      ...keysOf(entry).flatMap(([name, key, given]) =>
        faultOf(path(key), () => settingsTable[name].value.parse(textsOf(given), `${base}.${key}`)),
      ),
      ...faultOf(path(extraArgs), () => readWords(entryArguments(entry), `${base}.${extraArgs}: `)),
    ];
    if (unreadable.length > 0) return unreadable;
    const { settings, sources } = readEntry(entry);
    const model = modelOf(entry, findModel);
    const ofSettings = [
      ...(model === undefined
        ? []
        : modelFaults(settings, model, allowsLongContext(entry, values))),
      ...schedulerFaults(settings, (name) => (sources.get(name) ?? '').startsWith('-')),
    ].map(({ name, sentence, isByContext = false }) => {
      const source = sources.get(name) ?? '';
      const key = source.startsWith('-') ? extraArgs : source;
      const where = source.startsWith('-') ? `${base}.${extraArgs}: ${source}` : `${base}.${key}`;
      return { path: path(key), sentence: `${where} ${sentence}`, isByContext };
    });
    const ofSizes = cacheSizeFaults(values, entry, index);
    if (kindOf(entry) !== 'embedded') return [...ofSettings, ...ofSizes];
    return [
      ...ofSettings,
      ...ofSizes,
      ...cacheUrlFaults(values, entry, index, settings.kvTransferConfig),
    ];
  });
}

const extraArgs = 'vllmConfig.extraArgs';

/** A fault of a setting; the sentence continues after the setting's name. */
interface SettingFault {
  readonly name: SettingName;
  readonly sentence: string;
  readonly isByContext?: boolean;
}

/** @see vllm/config/model.py, verify_with_parallel_config and get_and_verify_max_len */
function modelFaults(
  { tensorParallelSize = 1, maxModelLen }: Settings,
  { name: model, attentionHeads, contextTokensMax }: ModelSpec,
  isLongAllowed: boolean,
): readonly SettingFault[] {
  const faults: SettingFault[] = [];
  if (attentionHeads % tensorParallelSize !== 0) {
    faults.push({
      name: 'tensorParallelSize',
      sentence: `(${tensorParallelSize}) must divide the ${attentionHeads} attention heads of ${model}`,
    });
  }
  if (typeof maxModelLen === 'number' && maxModelLen > contextTokensMax && !isLongAllowed) {
    faults.push({
      ...{ name: 'maxModelLen', isByContext: true },
      sentence: `(${maxModelLen}) must not be above the ${contextTokensMax} tokens of context of ${model}; lower it, or set VLLM_ALLOW_LONG_MAX_MODEL_LEN to 1 in env`,
    });
  }
  return faults;
}

/**
 * Checks what the schema cannot: it sees the keys, but not how extraArgs change them.
 *
 * @see vllm/config/scheduler.py, verify_max_model_len
 */
function schedulerFaults(
  settings: Settings,
  isArgument: (name: SettingName) => boolean,
): readonly SettingFault[] {
  const above = (low: SettingName, high: SettingName): readonly SettingFault[] => {
    const [value, limit] = [settings[low], settings[high]];
    if (typeof value !== 'number' || typeof limit !== 'number' || value <= limit) return [];
    if (!isArgument(low) && !isArgument(high)) return [];
    const name = isArgument(low) ? low : high;
    return [
      {
        name,
        sentence:
          name === low
            ? `(${value}) must not be above ${settingsTable[high].flag} (${limit})`
            : `(${limit}) must not be below ${settingsTable[low].flag} (${value})`,
      },
    ];
  };
  return [
    ...above('maxNumSeqs', 'maxNumBatchedTokens'),
    ...above('maxNumActiveSeqs', 'maxNumSeqs'),
    ...above('longPrefillTokenThreshold', 'maxModelLen'),
    ...above('maxLoras', 'maxCpuLoras'),
    ...(settings.enableChunkedPrefill === false ? above('maxModelLen', 'maxNumBatchedTokens') : []),
  ];
}

function keysOf(entry: ModelEntry): readonly (readonly [SettingName, string, unknown])[] {
  return settingNames.flatMap((name) =>
    settingsTable[name].keys.flatMap((key) => {
      const given = givenAt(entry, name, key);
      return given === undefined ? [] : [[name, key, given] as const];
    }),
  );
}

function modelOf(
  entry: ModelEntry,
  findModel: (name: string, entry: ModelEntry) => ModelSpec,
): ModelSpec | undefined {
  const { modelURL } = entry;
  try {
    return modelURL === undefined ? undefined : findModel(modelURL, entry);
  } catch (error) {
    if (error instanceof InputError) return undefined;
    throw error;
  }
}

function faultOf(path: EngineFault['path'], read: () => unknown): readonly EngineFault[] {
  try {
    read();
    return [];
  } catch (error) {
    if (!(error instanceof InputError)) throw error;
    return [{ path, sentence: error.message.replace(/\.$/, '') }];
  }
}
