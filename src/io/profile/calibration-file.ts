// Writes the profile file of `spillway calibrate`: the constants of one engine, and how they were
// found.
import type {
  EngineCalibration,
  EngineConstants,
  MeasuredLayout,
} from '../../core/engine/index.ts';
import type { CalibrationFile } from './calibration-reader.ts';

export function calibrationFile(
  { model, gpu, tensorParallelSize }: MeasuredLayout,
  { constants, decided, before, fitted, crossValidated }: EngineCalibration,
  sources: readonly string[],
): CalibrationFile {
  const summary = ({ count, ...rest }: EngineCalibration['before']) => ({
    measurements: count,
    ...rest,
  });
  return {
    spillway_profile: 1,
    model: model.name,
    gpu: gpu.name,
    tensor_parallel_size: tensorParallelSize,
    constants: inFileNames(constants),
    fit: {
      sources: [...sources],
      decided: inFileNames(decided),
      before: summary(before),
      fitted: summary(fitted),
      ...(crossValidated && { cross_validated: summary(crossValidated) }),
    },
  };
}

function inFileNames(values: Readonly<Record<keyof EngineConstants, number>>) {
  return {
    host_seconds_per_step: values.hostSecondsPerStep,
    matrix_share: values.matrixShare,
    attention_share: values.attentionShare,
    weight_memory_share: values.weightMemoryShare,
    kv_memory_share: values.kvMemoryShare,
    request_seconds: values.requestSeconds,
  };
}
