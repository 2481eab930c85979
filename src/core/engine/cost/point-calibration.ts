// The roofline's constants as they ship for serving points: dense models and mixtures of experts at
// any precision, on the GPUs that were measured.
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
  host: 0.0005233,
  ar0: 5.821e-6,
  ar1: 6.419e-6,
  link: 0.3488,
  layer: 1.12e-5,
  layerMoe: 4.096e-5,
  launch: 0.0003297,
  launchMoe: 0.000828,
  attention: 0.6215,
  request: 0.01933,
  layerDp: 4.025e-5,
  kv: 1.027,
  'matrix dense': 0.521,
  'matrix moe': 0.1439,
  'weight dense': 0.6636,
  'weight moe': 0.6913,
  'matrix B200': 0.7277,
  'matrix H200': 0.8847,
  'matrix H100-80GB': 0.9317,
  'matrix moe/fp4': 0.87,
  'matrix moe/fp8': 0.8813,
  'matrix dense/bf16': 1.004,
  'matrix dense/fp8': 1.143,
  'matrix moe/int4': 0.7508,
  'matrix dense/fp4': 0.908,
  'weight B200': 0.9952,
  'weight H200': 1.075,
  'weight H100-80GB': 1.081,
  'weight moe/fp4': 1.391,
  'weight moe/fp8': 1.045,
  'weight dense/bf16': 1.121,
  'weight dense/fp8': 1.014,
  'weight moe/int4': 0.6791,
  'weight dense/fp4': 0.7487,
  'layer B200': 1.133,
  'layer H200': 1.193,
  'layer H100-80GB': 1.028,
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
  return {
    ...layout,
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
