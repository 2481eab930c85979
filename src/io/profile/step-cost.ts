// What `--profile` names, as the cost of an engine's steps: a directory of measured step tables, or a
// file that `spillway calibrate` wrote.
import {
  type EngineLayout,
  type HostConstants,
  profileCost,
  type StepCostModel,
} from '../../core/engine/index.ts';
import { readEngineProfile } from './engine-profile.ts';

/**
 * @param host For step tables, which know neither; a calibration file has its own.
 * @returns The cost, and one sentence for each thing that was not measured.
 * @throws {InputError} If it is neither.
 */
export async function readStepCost(
  path: string,
  layout: EngineLayout,
  host: HostConstants,
): Promise<{ readonly cost: StepCostModel; readonly notes: readonly string[] }> {
  if (path.endsWith('.json')) {
    // With the library that checks it: engines without such a file start the sooner.
    const { readCalibratedCost } = await import('./calibration-reader.ts');
    return readCalibratedCost(path, layout);
  }
  const { model, tensorParallelSize } = layout;
  const { profile, notes } = await readEngineProfile(path, layout);
  return { cost: profileCost({ profile, model, tensorParallelSize, ...host }), notes };
}
