// The URL of a cache server that the LMCache of an embedded engine gets from the values: a store that the engine does not speak
// to keeps it from starting.
import { InputError } from '../base/index.ts';
import { parseCacheUrl } from '../lm/index.ts';
import type { ModelEntry, Values } from '../values/index.ts';
import { type KvTransferConfig, lmcacheOverrides } from '../vllm-config/index.ts';
import type { EngineFault } from './engine-fault.ts';

const variable = 'LMCACHE_REMOTE_URL';

/** @param index Of the entry in modelSpec. @param transfers Its connector below the KV cache; undefined without one in extraArgs. */
export function cacheUrlFaults(
  values: Values,
  entry: ModelEntry,
  index: number,
  transfers: KvTransferConfig | undefined,
): readonly EngineFault[] {
  if (transfers === undefined && entry.lmcacheConfig?.enabled !== true) return [];
  const given = overridingUrl(transfers, index) ?? givenUrl(values, entry, index);
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

interface GivenUrl {
  readonly path: EngineFault['path'];
  readonly text: string;
  /** What names it. */
  readonly where: string;
}

function overridingUrl(
  transfers: KvTransferConfig | undefined,
  index: number,
): GivenUrl | undefined {
  const overrides = lmcacheOverrides(transfers);
  if (!Object.hasOwn(overrides, 'remote_url')) return undefined;
  const path = ['servingEngineSpec', 'modelSpec', index, 'vllmConfig', 'extraArgs'];
  const where = `servingEngineSpec.modelSpec[${index}].vllmConfig.extraArgs: lmcache.remote_url`;
  return { path, text: String(overrides['remote_url'] ?? ''), where };
}

/** The last one wins, as in a pod: configs, env of all engines, env of the entry. */
function givenUrl(
  { servingEngineSpec: { configs, env } }: Values,
  entry: ModelEntry,
  index: number,
): GivenUrl | undefined {
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
