// The environment of a vLLM child. Secrets are passed here, since every user can read command lines.
import { InputError } from '../base/index.ts';
import { hasMultiprocessServer } from '../layout/index.ts';
import { engineKind, type ModelEntry, type Values } from '../values/index.ts';
import { type ControllerPorts, controllerEnvironment } from './lmcache-controller.ts';

/** What else the stack has for its engines. */
export interface EngineServices {
  /** The cache server. */
  readonly cacheUrl?: string | undefined;
  /** Its HOST:PORT for Redis clients. */
  readonly cacheNodes?: string | undefined;
  /** LMCache's controller, in the router. */
  readonly controller?: { readonly host: string; readonly ports: ControllerPorts } | undefined;
}

/**
 * Variables that the values file sets for one engine; later ones win, as in a pod:
 * servingEngineSpec.configs, its env, the model's env, tokens and keys.
 *
 * @param inherited This program's own environment, which the child gets as well.
 * @throws {InputError} If a variable that the engine needs comes from a Kubernetes object and is not inherited either.
 */
export function engineEnvironment(
  values: Values,
  spec: ModelEntry,
  inherited: Readonly<Record<string, string | undefined>>,
  { cacheUrl, controller }: EngineServices = {},
): Record<string, string> {
  const { configs, env, vllmApiKey } = values.servingEngineSpec;
  const result: Record<string, string> = { ...configs };
  if (spec.lmcacheConfig?.enabled && !isOutsideProcess(spec)) {
    Object.assign(result, lmcacheEnvironment(spec));
    if (controller !== undefined) {
      Object.assign(result, controllerEnvironment(spec, controller.host, controller.ports));
    }
    if (cacheUrl !== undefined) result['LMCACHE_REMOTE_URL'] = cacheUrl;
    const { serde } = values.cacheserverSpec;
    if (cacheUrl !== undefined && serde !== '') result['LMCACHE_REMOTE_SERDE'] = serde;
  }
  if (typeof spec.hf_token === 'string' && spec.hf_token !== '') result.HF_TOKEN = spec.hf_token;
  if (typeof vllmApiKey === 'string' && vllmApiKey !== '') result.VLLM_API_KEY = vllmApiKey;
  for (const entry of [...env, ...(spec.env ?? [])]) {
    const { name, value } = entry as { name?: unknown; value?: unknown };
    if (typeof name !== 'string') continue;
    if (value !== undefined) result[name] = String(value);
    else if (inherited[name] === undefined && isNeeded(spec, entry, name)) {
      throw new InputError(
        `servingEngineSpec.modelSpec "${spec.name}" takes the environment variable ${name} from a Kubernetes object, which this machine does not have: set ${name} in the environment of "spillway up".`,
      );
    }
  }
  return result;
}

/**
 * Whether an engine cannot start without a variable: an embedded one loads no weights, so it needs no token of
 * Hugging Face, and reads few others; a pod starts without one that is optional.
 */
function isNeeded(spec: ModelEntry, entry: unknown, name: string): boolean {
  const { valueFrom } = entry as { valueFrom?: Readonly<Record<string, { optional?: unknown }>> };
  if (Object.values(valueFrom ?? {}).some((source) => source?.optional === true)) return false;
  return engineKind(spec) !== 'embedded' || /^(VLLM|LMCACHE|OTEL)_|^PYTHONHASHSEED$/.test(name);
}

/** LMCache's server has its settings from its own command line, and vLLM's connector from vLLM's. */
function isOutsideProcess(spec: ModelEntry): boolean {
  return engineKind(spec) === 'vllm' && hasMultiprocessServer(spec);
}

function lmcacheEnvironment(spec: ModelEntry): Record<string, string> {
  const { cpuOffloadingBufferSize, diskOffloadingBufferSize } = spec.lmcacheConfig ?? {};
  return {
    LMCACHE_USE_EXPERIMENTAL: 'True',
    VLLM_RPC_TIMEOUT: '1000000',
    ...(Number(cpuOffloadingBufferSize) > 0
      ? { LMCACHE_LOCAL_CPU: 'True', LMCACHE_MAX_LOCAL_CPU_SIZE: String(cpuOffloadingBufferSize) }
      : noLocalMemory(spec)),
    ...(diskOffloadingBufferSize === undefined || diskOffloadingBufferSize === ''
      ? {}
      : { LMCACHE_MAX_LOCAL_DISK_SIZE: String(diskOffloadingBufferSize) }),
  };
}

/** An embedded engine without a size has none, as in a simulation; LMCache's own default is 5 GB. */
function noLocalMemory(spec: ModelEntry): Record<string, string> {
  return engineKind(spec) === 'embedded' ? { LMCACHE_LOCAL_CPU: 'False' } : {};
}
