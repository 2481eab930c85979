// Flags of `spillway engine` for LoRA adapters, checked together as in vLLM.
import type { EngineServerOptions } from '../../apps/engine/index.ts';
import { InputError } from '../../core/base/index.ts';
import { jsonObject, type Settings } from '../../core/layout/index.ts';

type LoraOptions = NonNullable<EngineServerOptions['lora']>;
type LoraModule = NonNullable<LoraOptions['modules']>[number];

const loraRankDefault = 16;

type LoraFlags = Pick<
  Settings,
  'enableLora' | 'loraModules' | 'maxLoras' | 'maxLoraRank' | 'maxCpuLoras'
>;

/** @throws {InputError} If the flags contradict each other or a module cannot be read. */
export function loraOptions(flags: LoraFlags): LoraOptions | undefined {
  const { enableLora, loraModules, maxLoras = 1, maxCpuLoras } = flags;
  const modules = loraModules?.filter((text) => text !== '').map(loraModule);
  if (!enableLora) {
    if (modules === undefined || modules.length === 0) return undefined;
    throw new InputError('--lora-modules needs --enable-lora; add it or drop the modules.');
  }
  if (maxCpuLoras !== undefined && maxCpuLoras < maxLoras) {
    throw new InputError(
      `--max-cpu-loras is ${maxCpuLoras}; it must be at least --max-loras, which is ${maxLoras}.`,
    );
  }
  return { maxRank: flags.maxLoraRank ?? loraRankDefault, modules };
}

/** Parses `name=path` or a JSON object. */
function loraModule(text: string): LoraModule {
  const [, name, path] = /^([^=,]*)=([^,]*)$/.exec(text) ?? [];
  if (name !== undefined && path !== undefined) return { name, path };
  const given = jsonObject('--lora-modules', text, 'NAME=PATH or a JSON object');
  const { name: jsonName, path: jsonPath, base_model_name: baseModelName } = given;
  if (typeof jsonName === 'string' && typeof jsonPath === 'string') {
    return {
      name: jsonName,
      path: jsonPath,
      ...(typeof baseModelName === 'string' && { baseModelName }),
    };
  }
  throw new InputError(`--lora-modules is ${text}; the object needs "name" and "path".`);
}
