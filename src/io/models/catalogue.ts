// Looks up models and GPUs by name, file or entry, synchronously: for the check of values files and
// for the rows of a file of points.
import { findGpu, type GpuSpec, type ModelSpec } from '../../core/engine/index.ts';
import { fileOrEntry, type GivenGpu, isCatalogueName } from './gpu-spec.ts';
import { readEngineModel, readModelSpec, readStandIn, type StandIn } from './model-spec.ts';

/** The same look-ups as `readGpuSpec` and `readModelSpec`. */
export interface ReadingCatalogue {
  findGpu(given: GivenGpu): GpuSpec;
  findModel(name: string): ModelSpec;
  /** The shape of an engine's model; see `readEngineModel`. */
  findEngineModel(name: string, how: string, standIn?: StandIn): ModelSpec;
  findStandIn(text: string): ModelSpec;
}

export async function loadCatalogue(): Promise<ReadingCatalogue> {
  const { readGpuFile } = await import('./gpu-file.ts');
  return {
    findGpu: (given) =>
      isCatalogueName(given) ? findGpu(given) : readGpuFile(fileOrEntry(given, undefined)),
    findModel: (name) => readModelSpec(name),
    findEngineModel: readEngineModel,
    findStandIn: (text) => readStandIn(text, text),
  };
}
