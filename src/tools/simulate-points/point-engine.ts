// Resolves the engine of a row of serving points: GPU, model, and the bytes of its weights and KV cache.
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
import { minorOf, publishedFlags, type ServerFlags } from './published-runs.ts';

const catalogue = await loadCatalogue();

/** Finds the GPU by name, such as `b200_sxm`, or reads a YAML file. */
export function gpuOf({ system }: PointRow): GpuSpec {
  return catalogue.findGpu(system.replace(/_sxm\d*$/i, ''));
}

/** Rows repeat names and folders. */
const shapes = new Map<string, ModelSpec>();
const shapesMax = 1000;

/**
 * Finds the model in the catalogue or in a config.json, or guesses it from the sizes in its name.
 *
 * @throws {InputError} If all of these fail.
 */
export function shapeOf({ model: name }: Pick<PointRow, 'model'>): ModelSpec {
  const known = shapes.get(name);
  if (known !== undefined) return known;
  const shape = foundOrGuessed(name);
  if (shapes.size >= shapesMax) shapes.clear();
  shapes.set(name, shape);
  return shape;
}

/** Returns whether the model's shape is a guess. */
export function isGuessed(point: Pick<PointRow, 'model'>): boolean {
  return shapeOf(point).source.startsWith('guessed');
}

/** Returns the row's precision, whatever the model's name says, or that of the checkpoint. */
export function precisionOf(point: PointRow): WeightPrecision {
  return point.precision ?? shapeOf(point).weightPrecision ?? 'bf16';
}

/** Returns how the row's server was started, as far as its columns tell. */
export function serverFlags(point: PointRow, gpu: GpuSpec) {
  const flags: ServerFlags = publishedFlagsOf(point, gpu) ?? {};
  return {
    ...flags,
    plansAhead: flags.plansAhead ?? point.plansAhead,
    // The default since https://github.com/vllm-project/vllm/pull/34299.
    fusesAllReduce: flags.fusesAllReduce ?? minorOf(point.version) >= 17,
  };
}

function publishedFlagsOf(point: PointRow, gpu: GpuSpec): ServerFlags | undefined {
  if (point.load.isOwnRun) return undefined;
  const clients = point.clients * point.clientGroups;
  return publishedFlags({ ...point, precision: precisionOf(point), clients }, gpu);
}

/** Returns the model as served: with weights of `precisionOf` and a KV cache of 8 or 16 bits. */
export function servedModel(point: PointRow, gpu: GpuSpec): ModelSpec {
  const { weightPrecision: _, ...model } = shapeOf(point);
  return isFp8Kv(point, model, gpu) ? { ...model, kvBytesPerValue: 1 } : model;
}

/**
 * Returns whether the KV cache is fp8: by the benchmark's flags, or, for other rows, with 4-bit checkpoints that
 * Blackwell multiplies, which specify it except gpt-oss, and with fp8 weights of dense models on H200 and Blackwell.
 */
function isFp8Kv(point: PointRow, { experts }: ModelSpec, gpu: GpuSpec): boolean {
  const flags = publishedFlagsOf(point, gpu);
  if (flags !== undefined) return flags.hasFp8Kv ?? false;
  const precision = precisionOf(point);
  if (precision === 'bf16' || /gpt-oss/i.test(point.model)) return false;
  // AIPerf's runs leave vLLM's `--kv-cache-dtype` at its default.
  if (point.load.isAiperf) return false;
  const architecture = gpu.kin ?? gpu.name;
  if (architecture === 'H200') return experts === undefined;
  if (architecture !== 'B200') return false;
  return experts === undefined || precision !== 'fp8' || minorOf(point.version) >= 19;
}

/** Returns the bytes of a weight outside the experts, which 4-bit mixtures keep: fp8 in MiniMax, else bf16. */
export function attentionBytes(point: PointRow): number {
  const bytes = bytesPerWeight[precisionOf(point)];
  const { experts } = shapeOf(point);
  if (experts === undefined || bytes >= 1) return bytes;
  return /MiniMax/i.test(point.model) ? 1 : 2;
}

/** DeepGEMM's alignment of an expert's rows. */
const deepGemmRows = 128;

/**
 * Returns the rows that DeepGEMM sets aside for each expert, or undefined where Triton computes the experts.
 * vLLM uses DeepGEMM for the experts of block-quantized fp8 checkpoints on Hopper by default; since E8M0 scales
 * are its default there (https://github.com/vllm-project/vllm/pull/26197, 0.11.1), it does not fall back to
 * Triton for small batches. Engines of 8 GPUs are excluded
 * (https://github.com/vllm-project/vllm/pull/29346), and 0.15 chooses other kernels
 * (https://github.com/vllm-project/vllm/issues/34249).
 */
export function rowsPerExpert(point: PointRow, gpu: GpuSpec): number | undefined {
  if (shapeOf(point).experts === undefined || precisionOf(point) !== 'fp8') return undefined;
  const isHopper = /^(H100|H200|H800|H20|GH200)/.test(gpu.kin ?? gpu.name);
  const [, major, minor, patch] = /^v?(\d+)\.(\d+)(?:\.(\d+))?/.exec(point.version) ?? [];
  const version = Number(minor) + Number(patch ?? 0) / 100;
  const isInVersion = Number(major) === 0 && version >= 11.01 && version < 15;
  const isExcluded = point.tensorParallelSize === 8;
  return isHopper && isInVersion && !isExcluded ? deepGemmRows : undefined;
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
