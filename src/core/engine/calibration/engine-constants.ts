// The free constants of the roofline for one engine: what a calibration finds, and how its error on
// measurements that it has not seen is told.
import type { GpuSpec } from '../catalogue/gpus.ts';
import { defaultHostSecondsPerStep, hostConstants } from '../catalogue/hosts.ts';
import type { ModelSpec } from '../catalogue/model-spec.ts';
import type { StepCostModel } from '../contract.ts';
import { defaultConstants, type RooflineOptions, rooflineCost } from '../cost/roofline.ts';
import { type Fit, fitConstants } from './least-squares.ts';

/** Constants of the engine that was measured; shares are of the GPU's datasheet rates. */
export interface EngineConstants {
  /** Time of a step that no work accounts for: host, and gaps between kernels. */
  readonly hostSecondsPerStep: number;
  readonly matrixShare: number;
  readonly attentionShare: number;
  readonly weightMemoryShare: number;
  readonly kvMemoryShare: number;
  /** What the server adds to a first token outside the engine's steps. */
  readonly requestSeconds: number;
}

export const engineConstantNames = [
  'hostSecondsPerStep',
  'matrixShare',
  'attentionShare',
  'weightMemoryShare',
  'kvMemoryShare',
  'requestSeconds',
] as const satisfies readonly (keyof EngineConstants)[];

/** Which engine the constants are of. */
export interface EngineLayout {
  readonly model: ModelSpec;
  readonly gpu: GpuSpec;
  readonly tensorParallelSize: number;
  readonly weightBytesPerValue: number;
}

/** One measured time, and how a cost model predicts it. */
export interface Measurement {
  /** What was measured, for reports. */
  readonly name: string;
  /** Measurements of one fold are left out together when the fit is checked. */
  readonly fold: string;
  readonly seconds: number;
  predict(cost: StepCostModel, requestSeconds: number): number;
}

/** Relative errors of predictions. */
export interface PredictionErrors {
  readonly count: number;
  readonly median: number;
  readonly p90: number;
  /** Median with sign: above 0, predictions are too long. */
  readonly bias: number;
}

export interface EngineCalibration {
  readonly constants: EngineConstants;
  /** By constant, the share of it that the measurements decided; see `Fit.decided`. */
  readonly decided: Readonly<Record<keyof EngineConstants, number>>;
  /** With the constants that ship. */
  readonly before: PredictionErrors;
  /** On the measurements that were fitted. */
  readonly fitted: PredictionErrors;
  /** Each fold predicted with constants fitted to the others; undefined with one fold. */
  readonly crossValidated: PredictionErrors | undefined;
}

/** Gaps between kernels count as the host's; a time of 0 has no logarithm. */
const layerSeconds = 1e-9;
/** Folds of a cross-validation: more names than this are dealt round. */
const foldsMax = 8;

/** What the roofline takes for this engine if nobody has measured it. */
export function shippedEngineConstants({ model, gpu }: EngineLayout): EngineConstants {
  const shipped = defaultConstants(gpu);
  return {
    hostSecondsPerStep: defaultHostSecondsPerStep + model.layers * shipped.layerSeconds,
    matrixShare: shipped.matrix,
    attentionShare: shipped.attention,
    weightMemoryShare: shipped.weightMemory,
    kvMemoryShare: shipped.kvMemory,
    requestSeconds: 0.01,
  };
}

/** The roofline with these constants. */
export function engineCost(layout: EngineLayout, constants: EngineConstants): StepCostModel {
  return rooflineCost(engineRoofline(layout, constants));
}

/** What `rooflineCost` takes for it. */
export function engineRoofline(layout: EngineLayout, constants: EngineConstants): RooflineOptions {
  const { gpu, tensorParallelSize } = layout;
  return {
    ...layout,
    hostSecondsPerStep: constants.hostSecondsPerStep,
    link: hostConstants(gpu, tensorParallelSize).link,
    constants: {
      layerSeconds,
      matrix: constants.matrixShare,
      attention: constants.attentionShare,
      weightMemory: constants.weightMemoryShare,
      kvMemory: constants.kvMemoryShare,
    },
  };
}

/**
 * Finds the constants that predict the measurements best, and how well they predict those that a
 * fit has not seen.
 *
 * @param onProgress Hears the share of the work that is done; with results of benchmarks it takes seconds.
 * @throws {RangeError} If there is no measurement.
 * @see docs/models/calibration.md
 */
export function calibrateEngine(
  layout: EngineLayout,
  measurements: readonly Measurement[],
  onProgress: (share: number) => void = () => {},
): EngineCalibration {
  const start = shippedEngineConstants(layout);
  const fit = fitEngine(layout, measurements, start);
  const names = [...new Set(measurements.map(({ fold }) => fold))];
  const foldOf = new Map(names.map((name, i) => [name, i % foldsMax]));
  const folds = Math.min(foldsMax, names.length);
  const inFold = (fold: number) => (one: Measurement) => foldOf.get(one.fold) === fold;
  const held = Array.from({ length: folds }, (_, fold) => {
    // One fit of all is done, and one per fold.
    onProgress((1 + fold) / (1 + folds));
    const others = measurements.filter((one) => !inFold(fold)(one));
    const own = measurements.filter(inFold(fold));
    return errorsOf(layout, own, fitEngine(layout, others, start).constants);
  });
  return {
    constants: fit.constants,
    decided: fit.decided,
    before: summaryOf(errorsOf(layout, measurements, start)),
    fitted: summaryOf(errorsOf(layout, measurements, fit.constants)),
    crossValidated: folds > 1 ? summaryOf(held.flat()) : undefined,
  };
}

function fitEngine(
  layout: EngineLayout,
  measurements: readonly Measurement[],
  start: EngineConstants,
): Pick<EngineCalibration, 'constants' | 'decided'> {
  if (measurements.length === 0) return { constants: start, decided: named(start, () => 0) };
  const fit: Fit = fitConstants({
    start: engineConstantNames.map((name) => start[name]),
    measured: measurements.map(({ seconds }) => seconds),
    predict: (values) => predictions(layout, measurements, constantsOf(values)),
  });
  return {
    constants: constantsOf(fit.constants),
    decided: named(start, (i) => fit.decided[i] as number),
  };
}

function predictions(
  layout: EngineLayout,
  measurements: readonly Measurement[],
  constants: EngineConstants,
): number[] {
  const cost = engineCost(layout, constants);
  return measurements.map((one) => one.predict(cost, constants.requestSeconds));
}

function constantsOf(values: readonly number[]): EngineConstants {
  return named(values, (i) => values[i] as number);
}

function named(_: unknown, of: (index: number) => number): EngineConstants {
  return Object.fromEntries(
    engineConstantNames.map((name, i) => [name, of(i)]),
  ) as unknown as EngineConstants;
}

function errorsOf(
  layout: EngineLayout,
  measurements: readonly Measurement[],
  constants: EngineConstants,
): number[] {
  return predictions(layout, measurements, constants).map(
    (predicted, i) => predicted / (measurements[i] as Measurement).seconds - 1,
  );
}

function summaryOf(errors: readonly number[]): PredictionErrors {
  const sizes = errors.map(Math.abs).sort((a, b) => a - b);
  const signed = [...errors].sort((a, b) => a - b);
  const at = (sorted: readonly number[], share: number) =>
    sorted[Math.min(sorted.length - 1, Math.floor(share * sorted.length))] ?? Number.NaN;
  return {
    count: errors.length,
    median: at(sizes, 0.5),
    p90: at(sizes, 0.9),
    bias: at(signed, 0.5),
  };
}
