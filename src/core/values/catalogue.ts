// Checks that the embedded engine knows the GPUs and models in the values. The catalogue is an
// argument, because this room does not import the engine model.
import { InputError } from '../base/index.ts';
import type { Conflict } from './conflict.ts';
import { engineKind, type ModelEntry, type Values } from './schema.ts';
import { type Path, pathText, type Step } from './tree.ts';

/**
 * Returns the value of `--gpu` for an entry's GPU: its name or file unchanged, its figures as JSON.
 *
 * @example gpuText({ gpu: { name: 'X1' } }); // '{"name":"X1"}'
 */
export function gpuText({ gpu }: Pick<ModelEntry, 'gpu'>): string | undefined {
  return typeof gpu === 'object' ? JSON.stringify(gpu) : gpu;
}

/** Look-ups by name. They throw InputError for an unknown name, with the most similar known ones. */
export interface Catalogue {
  findGpu(name: string): unknown;
}

export interface ModelCatalogue {
  /** @param how What to do for an unknown model: `NAME` stands for a known one. */
  findEngineModel(name: string, how: string): unknown;
  /** @param text A model, or a size such as `8B`. */
  findStandIn(text: string): unknown;
}

/** Returns the GPUs in the values that the embedded engine cannot emulate. */
export function checkNames(values: Values, catalogue: Catalogue): Conflict[] {
  return values.servingEngineSpec.modelSpec.flatMap((entry, index) => {
    if (!entry.enabled || engineKind(entry) !== 'embedded') return [];
    const gpu = gpuText(entry);
    const path = ['servingEngineSpec', 'modelSpec', index, 'gpu'];
    return gpu === undefined ? [] : unknown(path, () => catalogue.findGpu(gpu));
  });
}

/** Where the stand-in of unknown models is set. */
const standInPath: Path = ['spillway', 'standIn'];

/**
 * Returns the models that no embedded engine of these values can emulate, and stand-ins that are no models.
 *
 * @param isEmulated Whether an entry runs as an embedded engine.
 */
export function checkModels(
  values: Values,
  catalogue: ModelCatalogue,
  isEmulated: (entry: ModelEntry) => boolean,
): Conflict[] {
  const { standIn: common } = values.spillway;
  const how =
    'with standIn beside modelURL, spillway.standIn for all such models, or "spillway up --stand-in NAME"';
  return [
    ...(common === undefined ? [] : unknown(standInPath, () => catalogue.findStandIn(common))),
    ...values.servingEngineSpec.modelSpec.flatMap((entry, index) => {
      if (!entry.enabled || !isEmulated(entry)) return [];
      const { modelURL, standIn } = entry;
      const at = (key: Step): Path => ['servingEngineSpec', 'modelSpec', index, key];
      if (standIn !== undefined)
        return unknown(at('standIn'), () => catalogue.findStandIn(standIn));
      if (common !== undefined || argumentOf(entry, /^--stand[-_]in$/) !== undefined) return [];
      // Arguments come after the keys.
      const model = argumentOf(entry, /^--model$/);
      if (model !== undefined) {
        const path = [...at('vllmConfig'), 'extraArgs'];
        return unknown(path, () => catalogue.findEngineModel(model, how));
      }
      if (modelURL === undefined) return [];
      return unknown(at('modelURL'), () => catalogue.findEngineModel(modelURL, how));
    }),
  ];
}

/** Returns the value of a flag in an entry's `extraArgs`, the last one; undefined without it. */
export function argumentOf({ vllmConfig }: ModelEntry, flag: RegExp): string | undefined {
  const words = vllmConfig?.extraArgs?.map(String) ?? [];
  return words
    .flatMap((word, index) => {
      const [name = '', ...value] = word.split('=');
      if (!flag.test(name)) return [];
      return value.length > 0 ? [value.join('=')] : words.slice(index + 1, index + 2);
    })
    .at(-1);
}

/** Gives each entry whose model is unknown the stand-in of `spillway.standIn`. */
export function withStandIns(values: Values, catalogue: ModelCatalogue): Values {
  const { standIn } = values.spillway;
  if (standIn === undefined) return values;
  const isKnown = (model: string): boolean =>
    unknown([], () => catalogue.findEngineModel(model, '')).length === 0;
  const { servingEngineSpec } = values;
  const modelSpec = servingEngineSpec.modelSpec.map((entry) =>
    entry.standIn !== undefined || entry.modelURL === undefined || isKnown(entry.modelURL)
      ? entry
      : { ...entry, standIn },
  );
  return { ...values, servingEngineSpec: { ...servingEngineSpec, modelSpec } };
}

function unknown(path: Path, find: () => unknown): Conflict[] {
  try {
    find();
    return [];
  } catch (error) {
    if (!(error instanceof InputError)) throw error;
    const reason = error.message.replace(/\.$/, '');
    return [{ path, others: [], sentence: `${pathText(path)}: ${reason}` }];
  }
}
