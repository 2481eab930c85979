// The environment of a vLLM child. Secrets are passed here, since every user can read command lines.
import { InputError } from '../base/index.ts';
import type { ModelEntry, Values } from '../values/index.ts';

/**
 * Variables that the values file sets for one engine; later ones win, as in a pod:
 * servingEngineSpec.configs, its env, the model's env, tokens and keys.
 *
 * @param inherited This program's own environment, which the child gets as well.
 * @throws {InputError} If a variable comes from a Kubernetes object and is not inherited either.
 */
export function engineEnvironment(
  values: Values,
  spec: ModelEntry,
  inherited: Readonly<Record<string, string | undefined>>,
): Record<string, string> {
  const { configs, env, vllmApiKey } = values.servingEngineSpec;
  const result: Record<string, string> = { ...configs };
  if (spec.lmcacheConfig?.enabled) Object.assign(result, lmcacheEnvironment(spec.lmcacheConfig));
  if (typeof spec.hf_token === 'string' && spec.hf_token !== '') result.HF_TOKEN = spec.hf_token;
  if (typeof vllmApiKey === 'string' && vllmApiKey !== '') result.VLLM_API_KEY = vllmApiKey;
  for (const entry of [...env, ...(spec.env ?? [])]) {
    const { name, value } = entry as { name?: unknown; value?: unknown };
    if (typeof name !== 'string') continue;
    if (value !== undefined) result[name] = String(value);
    else if (inherited[name] === undefined) {
      throw new InputError(
        `servingEngineSpec.modelSpec "${spec.name}" takes the environment variable ${name} from a Kubernetes object, which this machine does not have: set ${name} in the environment of "spillway up".`,
      );
    }
  }
  return result;
}

function lmcacheEnvironment(
  config: NonNullable<ModelEntry['lmcacheConfig']>,
): Record<string, string> {
  const { cpuOffloadingBufferSize, diskOffloadingBufferSize } = config;
  return {
    LMCACHE_USE_EXPERIMENTAL: 'True',
    VLLM_RPC_TIMEOUT: '1000000',
    ...(Number(cpuOffloadingBufferSize) > 0
      ? { LMCACHE_LOCAL_CPU: 'True', LMCACHE_MAX_LOCAL_CPU_SIZE: String(cpuOffloadingBufferSize) }
      : {}),
    ...(diskOffloadingBufferSize === undefined
      ? {}
      : { LMCACHE_MAX_LOCAL_DISK_SIZE: String(diskOffloadingBufferSize) }),
  };
}
