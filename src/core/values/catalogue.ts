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

/** Look-ups by name. They throw InputError for an unknown name, with the most similar known one. */
export interface Catalogue {
  findGpu(name: string): unknown;
  findModel(name: string): unknown;
}

/**
 * Returns the names in the values that the embedded engine cannot emulate. An entry without a kind
 * may name any model, as files of the upstream chart do.
 */
export function checkNames(values: Values, catalogue: Catalogue): Conflict[] {
  return values.servingEngineSpec.modelSpec.flatMap((entry, index) => {
    if (!entry.enabled || engineKind(entry) !== 'embedded') return [];
    const explicit = entry.kind === 'embedded';
    const at = (key: Step): Path => ['servingEngineSpec', 'modelSpec', index, key];
    const gpu = gpuText(entry);
    // A measured profile replaces the model, and a path refers to a config.json.
    const named = explicit && entry.profile === undefined && !/^[./]/.test(entry.modelURL ?? '.');
    return [
      ...(named ? unknown(at('modelURL'), () => catalogue.findModel(entry.modelURL ?? '')) : []),
      ...(gpu === undefined ? [] : unknown(at('gpu'), () => catalogue.findGpu(gpu))),
    ];
  });
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
