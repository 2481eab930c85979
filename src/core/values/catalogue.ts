// Whether the embedded engine knows the GPUs and models that the values name. The catalogue is
// handed in: this room does not know the engine model.
import { InputError } from '../base/index.ts';
import type { Conflict } from './conflict.ts';
import { engineKind, type ModelSpec, type Values } from './schema.ts';
import { type Path, pathText, type Step } from './tree.ts';

/**
 * How an entry's GPU is told to `--gpu`: its name or file as it stands, its figures as JSON.
 *
 * @example gpuText({ gpu: { name: 'X1' } }); // '{"name":"X1"}'
 */
export function gpuText({ gpu }: Pick<ModelSpec, 'gpu'>): string | undefined {
  return typeof gpu === 'object' ? JSON.stringify(gpu) : gpu;
}

/** Look-ups by name that throw InputError, naming the nearest, where a name is unknown. */
export interface Catalogue {
  findGpu(name: string): unknown;
  findModel(name: string): unknown;
}

/**
 * Names in the values that the embedded engine cannot stand in for. An entry that does not say its
 * kind may name any model, as files of the upstream chart do.
 */
export function checkNames(values: Values, catalogue: Catalogue): Conflict[] {
  return values.servingEngineSpec.modelSpec.flatMap((entry, index) => {
    if (!entry.enabled || engineKind(entry) !== 'embedded') return [];
    const explicit = entry.kind === 'embedded';
    const at = (key: Step): Path => ['servingEngineSpec', 'modelSpec', index, key];
    const gpu = gpuText(entry);
    // A measured profile stands for the model, and a path names a config.json.
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
