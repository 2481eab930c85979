// The free constants of the roofline for one engine: the result of a calibration, and its error on
// measurements that the fit did not use.
import type { GpuSpec } from '../catalogue/gpus.ts';
import { defaultHostSecondsPerStep, hostConstants } from '../catalogue/hosts.ts';
import type { ModelSpec } from '../catalogue/model-spec.ts';
import type { StepCostModel } from '../contract.ts';
import { defaultConstants, type RooflineOptions, rooflineCost } from '../cost/roofline.ts';
import { type Fit, fitConstants } from './least-squares.ts';

/** Constants of the engine that was measured; shares are of the GPU's datasheet rates. */
export interface EngineConstants {
  /** Time of a step outside its work: host, and gaps between kernels. */
  readonly hostSecondsPerStep: number;
  readonly matrixShare: number;
  readonly attentionShare: number;
  readonly weightMemoryShare: number;
  readonly kvMemoryShare: number;
  /** Time that the server adds to a first token outside the engine's steps. */
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

/** The engine to which the constants apply. */
export interface MeasuredLayout {
  readonly model: ModelSpec;
  readonly gpu: GpuSpec;
  readonly tensorParallelSize: number;
  readonly weightBytesPerValue: number;
}

/** One measured time, with the prediction of a cost model for it. */
export interface Measurement {
  /** What was measured, for reports. */
  readonly name: string;
  /** Measurements of one fold are held out together when the fit is checked. */
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
  /** By constant, the share of it that the measurements determined; see `Fit.decided`. */
  readonly decided: Readonly<Record<keyof EngineConstants, number>>;
  /** Error with the shipped constants. */
  readonly before: PredictionErrors;
  /** Error on the measurements that were fitted. */
  readonly fitted: PredictionErrors;
  /** Each fold predicted with constants fitted to the others; undefined with one fold. */
  readonly crossValidated: PredictionErrors | undefined;
}

/** Gaps between kernels count as the host's; a time of 0 has no logarithm. */
const layerSeconds = 1e-9;
/** Folds of a cross-validation: further names are distributed over them in turn. */
const foldsMax = 8;

/** The roofline's constants for this engine without measurements. */
export function shippedEngineConstants({ model, gpu }: MeasuredLayout): EngineConstants {
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
export function engineCost(layout: MeasuredLayout, constants: EngineConstants): StepCostModel {
  return rooflineCost(engineRoofline(layout, constants));
}

/** The options of `rooflineCost` for these constants. */
export function engineRoofline(
  layout: MeasuredLayout,
  constants: EngineConstants,
): RooflineOptions {
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
 * Finds the constants that predict the measurements best, and how well they predict held-out
 * measurements.
 *
 * @param onProgress Called with the completed share of the work; with benchmark results a fit takes
 *   seconds.
 * @throws {RangeError} If there is no measurement.
 * @see docs/models/calibration.md
 */
export function calibrateEngine(
  layout: MeasuredLayout,
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
    // One fit of all measurements, and one per fold.
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
  layout: MeasuredLayout,
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
  layout: MeasuredLayout,
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
  layout: MeasuredLayout,
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
