// Finds emulated engines that would not start, because their model does not fit or a file is not here, before any process does.
import { existsSync } from 'node:fs';
import { InputError } from '../core/base/index.ts';
import { allowsLongContext, readEntry, sizingSettings } from '../core/layout/index.ts';
import { sizeEngine } from '../core/sizing/index.ts';
import {
  argumentOf,
  gpuText,
  type ModelEntry,
  pathText,
  type Values,
} from '../core/values/index.ts';
import type { loadCatalogue } from '../io/models/index.ts';

interface StartFault {
  readonly path: readonly (string | number)[];
  /** Without its full stop. */
  readonly sentence: string;
}

/** The GPU of an entry without `gpu`. */
const defaultGpu = 'H100-80GB';

/**
 * Returns a fault for each entry whose weights, KV cache or context do not fit its GPUs, or whose tokenizer's folder is not on this machine. What others
 * check, such as an unknown name, is none.
 *
 * @param isEmulated Whether an entry runs as an embedded engine.
 */
export function startFaults(
  values: Values,
  catalogue: Awaited<ReturnType<typeof loadCatalogue>>,
  isEmulated: (entry: ModelEntry) => boolean,
): readonly StartFault[] {
  const { enableEngine, modelSpec } = values.servingEngineSpec;
  if (!enableEngine) return [];
  return modelSpec.flatMap((entry, index) => {
    const { enabled, modelURL, profile } = entry;
    if (!enabled || modelURL === undefined || profile !== undefined || !isEmulated(entry))
      return [];
    const at = (...keys: string[]) => ['servingEngineSpec', 'modelSpec', index, ...keys];
    const tokenizer = argumentOf(entry, /^--tokenizer$/);
    if (tokenizer !== undefined && /^[./~]/.test(tokenizer) && !existsSync(tokenizer)) {
      const keys = at('vllmConfig', 'extraArgs');
      return [
        {
          path: keys,
          sentence: `${pathText(keys)}: There is no --tokenizer ${tokenizer} on this machine; without the flag, an emulated engine has the tokenizer of its model, or Qwen3's in its place`,
        },
      ];
    }
    const spec = specOf(entry, modelURL, values, catalogue);
    if (spec === undefined) return [];
    const path = at('modelURL');
    try {
      sizeEngine(spec);
      return [];
    } catch (error) {
      if (!(error instanceof InputError)) throw error;
      return [{ path, sentence: `${pathText(path)}: ${error.message.replace(/\.$/, '')}` }];
    }
  });
}

/** What is sized; undefined if a part of it has a fault of its own. */
function specOf(
  entry: ModelEntry,
  modelURL: string,
  values: Values,
  catalogue: Awaited<ReturnType<typeof loadCatalogue>>,
): Parameters<typeof sizeEngine>[0] | undefined {
  try {
    const { settings } = readEntry(entry);
    return {
      ...sizingSettings(settings),
      model: catalogue.findEngineModel(argumentOf(entry, /^--model$/) ?? modelURL, '', {
        always: settings.standIn,
        unknown: values.spillway.standIn,
      }),
      gpu: catalogue.findGpu(gpuText(entry) ?? defaultGpu),
      allowsLongContext: allowsLongContext(entry, values),
    };
  } catch (error) {
    if (error instanceof InputError) return undefined;
    throw error;
  }
}
