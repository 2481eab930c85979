// Flags of `spillway engine` about LoRA adapters, checked as vLLM checks them.
import type { Command } from 'commander';
import type { EngineServerOptions } from '../../apps/engine/index.ts';
import { InputError } from '../../core/base/index.ts';
import { integer } from './flag-values.ts';
import { jsonObject } from './json-flags.ts';

type LoraOptions = NonNullable<EngineServerOptions['lora']>;
type LoraModule = NonNullable<LoraOptions['modules']>[number];

/** Ranks that vLLM 0.32 has kernels for (config/lora.py). */
const loraRanks = [1, 8, 16, 32, 64, 128, 256, 320, 512];
const loraRankDefault = 16;

export interface LoraFlags {
  readonly enableLora?: boolean;
  readonly loraModules?: readonly string[];
  readonly maxLoras?: number;
  readonly maxLoraRank?: number;
  readonly maxCpuLoras?: number;
}

export function addLoraFlags(command: Command): Command {
  return command
    .option('--enable-lora', 'requests may name LoRA adapters as their model')
    .option('--lora-modules <modules...>', 'adapters to load: NAME=PATH, or JSON')
    .option('--max-loras <n>', 'most adapters in a step', integer('--max-loras', 1))
    .option('--max-lora-rank <n>', 'largest rank of an adapter', loraRank)
    .option('--max-cpu-loras <n>', 'at least --max-loras', integer('--max-cpu-loras', 1));
}

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

function loraRank(text: string): number {
  if (loraRanks.includes(Number(text))) return Number(text);
  throw new InputError(`--max-lora-rank is "${text}"; it must be one of ${loraRanks.join(', ')}.`);
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
