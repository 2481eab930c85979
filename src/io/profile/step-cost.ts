// What `--profile` names, as the cost of an engine's steps: a directory of measured step tables, or a
// file that `spillway calibrate` wrote.
import {
  type EngineLayout,
  type HostConstants,
  hostConstants,
  type LockstepCostModel,
  profileCost,
  profileLockstep,
  type StepCostModel,
} from '../../core/engine/index.ts';
import type { MeasuredEngine } from './calibration-reader.ts';
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
    return (await calibrationReader()).readCalibratedCost(path, layout);
  }
  const { model, tensorParallelSize } = layout;
  const { profile, notes } = await readEngineProfile(path, layout);
  return { cost: profileCost({ profile, model, tensorParallelSize, ...host }), notes };
}

/** @throws {InputError} If it is no file of `spillway calibrate`. */
export async function readMeasuredEngine(path: string): Promise<MeasuredEngine> {
  return (await calibrationReader()).readMeasuredEngine(path);
}

/** It comes with the library that checks such files: engines without one start the sooner. */
function calibrationReader() {
  return import('./calibration-reader.ts');
}

/** How the data-parallel cores of a mixture of experts share a step. */
export interface LockstepLayout extends EngineLayout {
  readonly cores: number;
  readonly expertParallel: boolean;
}

/**
 * The same for the cores of one engine that take their steps together.
 *
 * @returns Undefined for a calibration file, which knows one core only.
 */
export async function readLockstepCost(
  path: string,
  layout: LockstepLayout,
  host: HostConstants,
): Promise<LockstepCostModel | undefined> {
  if (path.endsWith('.json')) return undefined;
  const { model, gpu, tensorParallelSize, cores, expertParallel } = layout;
  const { profile } = await readEngineProfile(path, layout);
  const bare = { ...profile, experts: undefined };
  return profileLockstep({
    ...{ profile, model, cores, expertParallel },
    own: profileCost({ profile: bare, model, tensorParallelSize, ...host }),
    link: hostConstants(gpu, tensorParallelSize * cores).link,
  });
}
