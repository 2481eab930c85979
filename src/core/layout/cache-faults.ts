// What the LMCache of an engine gets from the values and keeps it from starting: a store that an embedded engine does not speak to, and sizes
// that no machine has.
import { InputError } from '../base/index.ts';
import { parseCacheUrl, sizeFault } from '../lm/index.ts';
import type { ModelEntry, Values } from '../values/index.ts';
import { type KvTransferConfig, lmcacheOverrides } from '../vllm-config/index.ts';
import type { EngineFault } from './engine-fault.ts';

const urlVariable = 'LMCACHE_REMOTE_URL';
/** Keys and variables of sizes. */
const sizes = [
  ['cpuOffloadingBufferSize', 'LMCACHE_MAX_LOCAL_CPU_SIZE', 'memory'],
  ['diskOffloadingBufferSize', 'LMCACHE_MAX_LOCAL_DISK_SIZE', 'disk'],
] as const;

/** @param index Of the entry in modelSpec. @param transfers Its connector below the KV cache; undefined without one in extraArgs. */
export function cacheUrlFaults(
  values: Values,
  entry: ModelEntry,
  index: number,
  transfers: KvTransferConfig | undefined,
): readonly EngineFault[] {
  if (transfers === undefined && entry.lmcacheConfig?.enabled !== true) return [];
  const given = overridingUrl(transfers, index) ?? givenBy(urlVariable, values, entry, index);
  if (given === undefined || given.text === '') return [];
  const { path, text, where } = given;
  try {
    parseCacheUrl(text, where);
    return [];
  } catch (error) {
    if (!(error instanceof InputError)) throw error;
    return [{ path, sentence: error.message.replace(/\.$/, ''), isEmulated: true }];
  }
}

/** @param index Of the entry in modelSpec. */
export function cacheSizeFaults(
  values: Values,
  entry: ModelEntry,
  index: number,
): readonly EngineFault[] {
  if (entry.lmcacheConfig?.enabled !== true) return [];
  const { lmcacheConfig } = entry;
  return sizes.flatMap(([key, variable, kind]) => {
    const own = `servingEngineSpec.modelSpec[${index}].lmcacheConfig.${key}`;
    const byKey = { path: ['servingEngineSpec', 'modelSpec', index, 'lmcacheConfig', key] };
    return [
      { ...byKey, text: String(lmcacheConfig[key] ?? ''), where: own },
      givenBy(variable, values, entry, index),
    ].flatMap((given) => {
      const fault = given && sizeFault(Number(given.text), kind);
      if (given === undefined || fault === undefined) return [];
      return [{ path: given.path, sentence: `${given.where} is ${given.text}, and ${fault}` }];
    });
  });
}

interface GivenText {
  readonly path: EngineFault['path'];
  readonly text: string;
  /** What names it. */
  readonly where: string;
}

function overridingUrl(
  transfers: KvTransferConfig | undefined,
  index: number,
): GivenText | undefined {
  const overrides = lmcacheOverrides(transfers);
  if (!Object.hasOwn(overrides, 'remote_url')) return undefined;
  const path = ['servingEngineSpec', 'modelSpec', index, 'vllmConfig', 'extraArgs'];
  const where = `servingEngineSpec.modelSpec[${index}].vllmConfig.extraArgs: lmcache.remote_url`;
  return { path, text: String(overrides['remote_url'] ?? ''), where };
}

/** The last one wins, as in a pod: configs, env of all engines, env of the entry. */
function givenBy(
  variable: string,
  { servingEngineSpec: { configs, env } }: Values,
  entry: ModelEntry,
  index: number,
): GivenText | undefined {
  const spec = ['servingEngineSpec'] as const;
  const lists = [
    [entry.env ?? [], [...spec, 'modelSpec', index, 'env'], `modelSpec[${index}].env`],
    [env, [...spec, 'env'], 'env'],
  ] as const;
  for (const [list, path, name] of lists) {
    const at = list.findLastIndex((one) => one['name'] === variable);
    const value = list[at]?.['value'];
    if (value === undefined) continue;
    const where = `servingEngineSpec.${name}: ${variable}`;
    return { path: [...path, at, 'value'], text: String(value), where };
  }
  const text = configs[variable];
  if (text === undefined) return undefined;
  const path = [...spec, 'configs', variable];
  return { path, text: String(text), where: `servingEngineSpec.configs.${variable}` };
}
