// Reads a `--profile` as the source of an engine's step times: a directory of measured step tables,
// or a file of `spillway calibrate`.
import {
  type HostConstants,
  hostConstants,
  type LockstepCostModel,
  type MeasuredLayout,
  profileCost,
  profileLockstep,
} from '../../core/engine/index.ts';
import {
  type EngineSpec,
  engineShape,
  profileHost,
  type StepCostSource,
} from '../../core/sizing/index.ts';
import type { MeasuredEngine } from './calibration-reader.ts';
import { readEngineProfile } from './engine-profile.ts';

/**
 * Reads the step times of a `--profile` for an engine that is about to be sized.
 *
 * @param path Undefined: no profile.
 * @returns The argument for `sizeEngine`, and one sentence for each part that was not measured.
 * @throws {InputError} If it is neither a directory of tables nor a file of `spillway calibrate`.
 */
export async function readStepCostSource(
  path: string | undefined,
  spec: EngineSpec,
): Promise<{ readonly stepCost: StepCostSource | undefined; readonly notes: readonly string[] }> {
  if (path === undefined) return { stepCost: spec.stepCost, notes: [] };
  const shape = engineShape(spec);
  if (path.endsWith('.json')) {
    const { constants, notes } = await (await calibrationReader()).readEngineConstants(path, shape);
    return { stepCost: { measured: constants }, notes };
  }
  const { model, tensorParallelSize } = shape;
  const { profile, notes } = await readEngineProfile(path, shape);
  const host = profileHost(shape, spec.host);
  return {
    stepCost: { profile: profileCost({ profile, model, tensorParallelSize, ...host }) },
    notes,
  };
}

/** @throws {InputError} If the file is not a profile of `spillway calibrate`. */
export async function readMeasuredEngine(path: string): Promise<MeasuredEngine> {
  return (await calibrationReader()).readMeasuredEngine(path);
}

/** Imported here because engines without such a file start faster without its library. */
function calibrationReader() {
  return import('./calibration-reader.ts');
}

/** How the data-parallel cores of a mixture of experts share a step. */
export interface LockstepLayout extends MeasuredLayout {
  readonly cores: number;
  readonly expertParallel: boolean;
}

/**
 * Does the same for the cores of one engine that run their steps together.
 *
 * @returns Undefined for a calibration file, which describes one core only.
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
    memoryBytesPerSecond: gpu.memoryBytesPerSecond * gpu.efficiency.memory,
  });
}
