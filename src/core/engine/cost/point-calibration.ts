// The roofline's constants as they ship for serving points: dense models and mixtures of experts at
// any precision, on the GPUs that were measured.
import type { GpuSpec } from '../catalogue/gpus.ts';
import type { WeightPrecision } from '../catalogue/precision.ts';
import type { RooflineOptions } from './roofline.ts';

/**
 * Constants by name. Seconds: `host` a step; `ar0`, `ar1` the start of an all-reduce and what each
 * doubling of its GPUs adds; `layer`, `layerMoe` the gaps between a layer's kernels, dense and
 * mixture of experts; `layerDp` what data-parallel attention adds to them; `launch`, `launchMoe`
 * launching a layer outside CUDA graphs; `request` what the server adds to a first token. Shares of
 * the GPU's rates: `link`, `attention`, and, multiplied, `matrix` and `weight` by kind of model, GPU,
 * and precision; `kv` is that of the KV cache's memory traffic relative to the GPU's.
 */
export type PointCalibration = Readonly<Record<string, number>>;

/**
 * Fitted by `npm run bench:truth -- --fit` to the points of bench/data/vllm-measured-points.csv with
 * at most 64 clients, 1,024 output tokens and 3 s to the first token.
 *
 * @see docs/models/engine-model.md for the error of each group of points, fitted without it.
 */
export const pointCalibration: PointCalibration = {
  host: 0.000522,
  ar0: 5.833e-6,
  ar1: 6.459e-6,
  link: 0.3612,
  layer: 1.124e-5,
  layerMoe: 4.078e-5,
  launch: 0.0003309,
  launchMoe: 0.0008287,
  attention: 0.5783,
  request: 0.01935,
  layerDp: 3.974e-5,
  kv: 0.9395,
  'matrix dense': 0.5219,
  'matrix moe': 0.1765,
  'weight dense': 0.6712,
  'weight moe': 0.7086,
  'matrix B200': 0.6216,
  'matrix H200': 1.102,
  'matrix H100-80GB': 1.075,
  'matrix moe/fp4': 0.9713,
  'matrix moe/fp8': 0.8281,
  'matrix dense/bf16': 0.8938,
  'matrix dense/fp8': 1.134,
  'matrix moe/int4': 0.8775,
  'matrix dense/fp4': 1.03,
  'weight B200': 1.015,
  'weight H200': 1.016,
  'weight H100-80GB': 1.063,
  'weight moe/fp4': 1.344,
  'weight moe/fp8': 1.015,
  'weight dense/bf16': 1.13,
  'weight dense/fp8': 1.028,
  'weight moe/int4': 0.7417,
  'weight dense/fp4': 0.7412,
  'layer B200': 1.154,
  'layer H200': 1.183,
  'layer H100-80GB': 1.018,
};

/** The options of a roofline with the calibration's constants; a name that it lacks counts as 1. */
export function calibratedRoofline(
  layout: RooflineOptions,
  precision: WeightPrecision,
  calibration: PointCalibration,
): RooflineOptions {
  const { model, gpu, tensorParallelSize = 1, attentionDataParallelSize: groups = 1 } = layout;
  const kind = model.experts === undefined ? 'dense' : 'moe';
  const of = (name: string) => calibration[name] ?? 1;
  const ofKind = (name: string) => of(kind === 'dense' ? name : `${name}Moe`);
  const share = (what: string) =>
    of(`${what} ${kind}`) * of(`${what} ${gpu.name}`) * of(`${what} ${kind}/${precision}`);
  const doublings = Math.log2(tensorParallelSize * groups);
  // Hopper multiplies no 4-bit numbers, and nothing multiplies int4: such weights are widened first.
  const weightOnly = precision === 'int4' || (precision === 'fp4' && !hasFp4(gpu));
  return {
    ...layout,
    weightOnly,
    hostSecondsPerStep: of('host'),
    link: {
      latencySeconds: of('ar0') + of('ar1') * doublings,
      bytesPerSecond: gpu.link.bytesPerSecond * of('link'),
    },
    constants: {
      layerSeconds: ofKind('layer') * of(`layer ${gpu.name}`) + (groups > 1 ? of('layerDp') : 0),
      prefillLayerSeconds: ofKind('launch'),
      matrix: share('matrix'),
      attention: of('attention'),
      weightMemory: share('weight'),
      kvMemory: of('kv') * of(`weight ${gpu.name}`),
    },
  };
}

/** Blackwell's tensor cores do. */
function hasFp4({ name }: GpuSpec): boolean {
  return /^B\d|^GB|PRO-6000|RTX50/.test(name);
}
