// The engine that a row of serving points names: GPU, model, and the bytes of its weights and KV cache.
import { InputError } from '../../core/base/index.ts';
import {
  bytesPerWeight,
  type GpuSpec,
  guessModel,
  type ModelSpec,
  type WeightPrecision,
} from '../../core/engine/index.ts';
import { loadCatalogue } from '../../io/models/index.ts';
import type { PointRow } from './points-csv.ts';

const catalogue = await loadCatalogue();

/** A name, as `b200_sxm`, or a YAML file. */
export function gpuOf({ system }: PointRow): GpuSpec {
  return catalogue.findGpu(system.replace(/_sxm\d*$/i, ''));
}

/** Names or folders repeat from row to row. */
const shapes = new Map<string, ModelSpec>();
const shapesMax = 1000;

/**
 * Of the catalogue, of a config.json, or else guessed from the sizes in its name.
 *
 * @throws {InputError} If there is none of these.
 */
export function shapeOf({ model: name }: Pick<PointRow, 'model'>): ModelSpec {
  const known = shapes.get(name);
  if (known !== undefined) return known;
  const shape = foundOrGuessed(name);
  if (shapes.size >= shapesMax) shapes.clear();
  shapes.set(name, shape);
  return shape;
}

/** Whether the model's shape is a guess. */
export function isGuessed(point: Pick<PointRow, 'model'>): boolean {
  return shapeOf(point).source.startsWith('guessed');
}

/** The row's, whatever the model's name says; else that of the checkpoint. */
export function precisionOf(point: PointRow): WeightPrecision {
  return point.precision ?? shapeOf(point).weightPrecision ?? 'bf16';
}

/** The model as it is served: `precisionOf` its weights, its KV cache in 8 bits or not. */
export function servedModel(point: PointRow, gpu: GpuSpec): ModelSpec {
  const { weightPrecision: _, ...model } = shapeOf(point);
  return isFp8Kv(point, model, gpu) ? { ...model, kvBytesPerValue: 1 } : model;
}

/**
 * 4-bit checkpoints that Blackwell multiplies name an fp8 KV cache themselves; gpt-oss does not. With fp8
 * weights the benchmarks ask for it: for dense models on H200 and Blackwell, whose knees lie where that
 * puts them, for mixtures of experts on Blackwell since 0.19 (before, contexts cost twice as much).
 */
function isFp8Kv(point: PointRow, { experts }: ModelSpec, gpu: GpuSpec): boolean {
  const precision = precisionOf(point);
  if (precision === 'bf16' || /gpt-oss/i.test(point.model)) return false;
  const architecture = gpu.kin ?? gpu.name;
  if (architecture === 'H200') return experts === undefined;
  if (architecture !== 'B200') return false;
  if (experts === undefined || precision !== 'fp8') return true;
  const [, major, minor] = /^v?(\d+)\.(\d+)/.exec(point.version) ?? [];
  return Number(major) > 0 || Number(minor) >= 19 || /nightly|dev/.test(point.version);
}

/** 4-bit mixtures of experts keep their other weights: MiniMax in fp8, the others in bf16. */
export function attentionBytes(point: PointRow): number {
  const bytes = bytesPerWeight[precisionOf(point)];
  const { experts } = shapeOf(point);
  if (experts === undefined || bytes >= 1) return bytes;
  return /MiniMax/i.test(point.model) ? 1 : 2;
}

function foundOrGuessed(name: string): ModelSpec {
  try {
    return catalogue.findModel(name);
  } catch (error) {
    const guessed = error instanceof InputError ? guessModel(name) : undefined;
    if (guessed) return guessed;
    throw error;
  }
}
