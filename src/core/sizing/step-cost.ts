// Chooses the source of an engine's step times: the same rule for every program.
import { InputError } from '../base/index.ts';
import {
  type AllReduceLink,
  calibratedRoofline,
  defaultConstants,
  defaultHostSecondsPerStep,
  engineRoofline,
  type HostConstants,
  hostConstants,
  type LockstepCostModel,
  type PipelineOptions,
  pipelinedCost,
  pointCalibration,
  type RooflineConstants,
  type RooflineOptions,
  rooflineCost,
  type StepCostModel,
  summedLockstep,
} from '../engine/index.ts';
import { type EngineShape, type EngineSpec, engineShape } from './engine-spec.ts';
import type { HostOverrides, StepCostSource } from './step-cost-source.ts';

/**
 * Returns the host constants that complete a profile of step tables: the built-in ones for the GPU,
 * or the given ones.
 */
export function profileHost(
  { gpu, tensorParallelSize }: EngineShape,
  overrides: HostOverrides = {},
): HostConstants {
  const { hostSecondsPerStep, link } = hostConstants(gpu, tensorParallelSize);
  return {
    hostSecondsPerStep: overrides.hostSecondsPerStep ?? hostSecondsPerStep,
    link: overridden(link, overrides),
  };
}

/**
 * Returns the options of the roofline for one group of GPUs with all layers.
 *
 * @param cores Number of engine cores that run their steps together and share the experts of a
 * mixture.
 * @returns Undefined if step times come from a profile.
 */
export function rooflineOf(
  shape: EngineShape,
  source: StepCostSource = 'calibrated',
  overrides: HostOverrides = {},
  cores = 1,
): RooflineOptions | undefined {
  const { precision, ...engine } = shape;
  const layout = { ...engine, ...(cores > 1 && { attentionDataParallelSize: cores }) };
  const withHost = (options: RooflineOptions): RooflineOptions => ({
    ...options,
    hostSecondsPerStep:
      overrides.hostSecondsPerStep ?? options.hostSecondsPerStep ?? defaultHostSecondsPerStep,
    link: overridden(options.link, overrides),
  });
  if (source === 'calibrated') {
    return withHost(calibratedRoofline(layout, precision, pointCalibration));
  }
  if (source === 'roofline') {
    const { link } = hostConstants(engine.gpu, engine.tensorParallelSize * cores);
    return withHost({ ...layout, link, constants: defaultConstants(engine.gpu) });
  }
  if ('measured' in source)
    return withHost({ ...layout, ...engineRoofline(engine, source.measured) });
  return undefined;
}

/** An engine whose step times come from a roofline. */
export interface RooflineEngine {
  readonly roofline: RooflineOptions | undefined;
  readonly pipeline: PipelineOptions;
}

/**
 * Returns the cost of a step with other constants of the roofline; a plan draws the model's errors
 * with it.
 *
 * @throws {InputError} If the step times come from a profile, which has no such constants.
 */
export function adjustedStepCost(
  { roofline, pipeline }: RooflineEngine,
  adjust: (constants: RooflineConstants) => RooflineConstants,
): StepCostModel {
  if (roofline?.constants === undefined) {
    throw new InputError('Step times that were measured one by one have no constants to vary.');
  }
  const constants = adjust(roofline.constants);
  return pipelinedCost(rooflineCost({ ...roofline, constants }), pipeline);
}

/**
 * Returns the step cost of the data-parallel cores of a mixture of experts, which run their steps
 * together.
 *
 * @returns Undefined for one core, for a model without experts, and if step times come from a
 * profile.
 */
export function lockstepCost(spec: EngineSpec): LockstepCostModel | undefined {
  const { dataParallelSize: cores = 1, model, stepCost, host } = spec;
  if (cores === 1 || model.experts === undefined) return undefined;
  const options = rooflineOf(engineShape(spec), stepCost, host, cores);
  return options && summedLockstep(rooflineCost(options));
}

function overridden(
  link: AllReduceLink | undefined,
  { allReduceLatencySeconds: latency, allReduceBytesPerSecond: rate }: HostOverrides,
): AllReduceLink | undefined {
  if (link === undefined || (latency === undefined && rate === undefined)) return link;
  return {
    latencySeconds: latency ?? link.latencySeconds,
    bytesPerSecond: rate ?? link.bytesPerSecond,
  };
}
