// Flags of `spillway engine` about LoRA adapters and the profiler, checked as vLLM checks them.
import type { EngineServerOptions } from '../../apps/engine/index.ts';
import { InputError } from '../../core/base/index.ts';
import type { EngineFlags } from './engine-flags.ts';

type LoraOptions = NonNullable<EngineServerOptions['lora']>;
type LoraModule = NonNullable<LoraOptions['modules']>[number];

/** Ranks that vLLM 0.32 has kernels for (config/lora.py). */
const loraRanks = [1, 8, 16, 32, 64, 128, 256, 320, 512];
const loraRankDefault = 16;

/** @throws {InputError} If the flags contradict each other or a module cannot be read. */
export function loraOptions(flags: EngineFlags): LoraOptions | undefined {
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

/** Value of `--max-lora-rank`. */
export function loraRank(text: string): number {
  if (loraRanks.includes(Number(text))) return Number(text);
  throw new InputError(`--max-lora-rank is "${text}"; it must be one of ${loraRanks.join(', ')}.`);
}

/** Value of `--profiler-config`: only whether there is a profiler counts. */
export function profilerConfig(text: string): { readonly profiler: string | undefined } {
  const { profiler } = jsonObject('--profiler-config', text);
  if (profiler === undefined || profiler === null) return { profiler: undefined };
  const known = ['torch', 'cuda', 'proton'].find((name) => name === profiler);
  if (known !== undefined) return { profiler: known };
  throw new InputError(
    `--profiler-config names the profiler ${JSON.stringify(profiler)}; it must be "torch", "cuda" or "proton".`,
  );
}

/** `name=path`, or a JSON object. */
function loraModule(text: string): LoraModule {
  const [, name, path] = /^([^=,]*)=([^,]*)$/.exec(text) ?? [];
  if (name !== undefined && path !== undefined) return { name, path };
  const given = jsonObject('--lora-modules', text);
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

function jsonObject(flag: string, text: string): Readonly<Record<string, unknown>> {
  try {
    const given: unknown = JSON.parse(text);
    if (typeof given === 'object' && given !== null && !Array.isArray(given)) {
      return given as Readonly<Record<string, unknown>>;
    }
  } catch {
    // Said below, with what is allowed.
  }
  const allowed = flag === '--lora-modules' ? 'NAME=PATH or a JSON object' : 'a JSON object';
  throw new InputError(`${flag} is "${text}"; it must be ${allowed}.`);
}
