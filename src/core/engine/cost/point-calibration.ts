// The shipped constants of the roofline for serving points: dense models and mixtures of experts at any
// precision, on the GPUs that were measured.
import { findGpu } from '../catalogue/find-gpu.ts';
import type { GpuSpec } from '../catalogue/gpus.ts';
import { allReduceLink } from '../catalogue/hosts.ts';
import type { WeightPrecision } from '../catalogue/precision.ts';
import { multipliesFp4, multipliesFp8 } from '../catalogue/tensor-cores.ts';
import type { AllReduceLink } from './all-reduce.ts';
import type { RooflineOptions } from './roofline.ts';

/**
 * Constants by name. Seconds: `host` per step, `hostPrompt` for each prompt of a step that was not planned ahead;
 * `request`, and `token` for each token of the prompt, from
 * the client to the engine's queue, and `clientAiperf` for each of AIPerf's clients, whose streams one
 * process reads in turn; `ar0`, `ar1` the startup time of an all-reduce and the addition for each doubling
 * of its GPUs, `ar0 fused` and `ar1 fused` those of one that is fused with the norm after it; `layer` the gaps between a layer's kernels, `layerExpert` the addition for each expert of a
 * token (its rows are sorted, quantized, gathered), `layerLatent` the addition for latent attention and
 * `layerDp` that for data-parallel attention; `launch`, `launchMoe` launching a layer outside CUDA graphs,
 * `launchGraph` the gaps of its attention in one. `float32` is a rate, operations per second; `expertRows` counts rows.
 * Shares of the GPU's rates: `link`, `attention`, and, multiplied, `matrix` and `weight` by kind of model,
 * GPU, and kernels; `kv` is that of the KV cache's memory traffic relative to the GPU's. `experts` is the
 * evenness of `expertsTouched`. Constants that name a GPU or kernels are factors; those with `shared` apply
 * to engines of several GPUs. `matrix deepGemm` is a factor for experts that DeepGEMM computes.
 */
export type PointCalibration = Readonly<Record<string, number>>;

/**
 * Fitted on 2026-11-24 with `npm run bench:truth -- --fit` to the points of bench/data/vllm-measured-points.csv with at
 * most 64 clients, 1,024 output tokens and 3 s to the first token: `clientAiperf` to the ten points of
 * vllm-measured-points-small.csv and `matrix deepGemm` to those of Qwen3-235B, which determine nothing else. `hostPrompt`
 * hardly moved from where the fit starts: the points of Qwen3-32B, alone in it, determine it weakly.
 *
 * @see docs/models/engine-model.md for the error of each group of points, fitted without that group.
 */
export const pointCalibration: PointCalibration = {
  host: 7.449e-4,
  hostPrompt: 0.001013,
  request: 0.008974,
  token: 1.162e-6,
  ar0: 5.624e-6,
  ar1: 7.056e-6,
  'ar0 fused': 6.166e-6,
  'ar1 fused': 2.002e-6,
  float32: 2.653e13,
  'ar B200': 0.9501,
  'ar H200': 0.9972,
  'ar H100-80GB': 1.021,
  link: 0.4097,
  layer: 1.257e-5,
  layerExpert: 5.751e-6,
  layerLatent: 1.035e-5,
  layerDp: 5e-6,
  'layer B200': 1.06,
  'layer H200': 1.008,
  'layer H100-80GB': 1.069,
  'layer moe/fp4': 0.8861,
  'layer moe/fp8': 1.214,
  'layer moe/w4': 1.188,
  launch: 3.481e-4,
  launchMoe: 9.706e-4,
  launchGraph: 1.293e-4,
  launchLatent: 1.533,
  'launch moe/fp4': 1.27,
  'launch moe/fp8': 1.047,
  'launch moe/w4': 0.9129,
  attention: 0.6188,
  kv: 0.8458,
  experts: 1.848,
  expertRows: 14.26,
  'matrix dense': 0.5246,
  'matrix moe': 0.2301,
  'matrix B200': 0.7558,
  'matrix H200': 0.8872,
  'matrix H100-80GB': 0.9585,
  'matrix dense/bf16': 0.9531,
  'matrix dense/fp8': 1.163,
  'matrix dense/fp4': 0.9465,
  'matrix moe/fp8': 0.8533,
  'matrix moe/fp4': 1.012,
  'matrix moe/w4': 1.066,
  'weight dense': 0.6857,
  'weight moe': 0.8573,
  'weight B200': 0.9868,
  'weight H200': 0.9178,
  'weight H100-80GB': 1.103,
  'weight dense/bf16': 1.126,
  'weight dense/fp8': 1.008,
  'weight dense/fp4': 0.7743,
  'weight moe/fp8': 1.035,
  'weight moe/fp4': 1.11,
  'weight moe/w4': 1.066,
  clientAiperf: 3.076e-4,
  'launch shared dense B200': 2,
  'weight dense H200': 1.086,
  'matrix deepGemm': 0.9652,
};

/**
 * Returns the options of a roofline with the calibration's constants; a missing name counts as 1. A GPU that
 * was not measured uses the constants of its kin, or else those of an H100, scaled by the ratio of the
 * catalogue's efficiencies of the two GPUs.
 */
export function calibratedRoofline(
  layout: RooflineOptions,
  precision: WeightPrecision,
  calibration: PointCalibration,
): RooflineOptions {
  const { model, gpu, tensorParallelSize = 1, attentionDataParallelSize: groups = 1 } = layout;
  const kind = model.experts === undefined ? 'dense' : 'moe';
  const kernels = kernelsOf(precision, gpu);
  const name = gpu.kin ?? gpu.name;
  const of = (constant: string) => calibration[constant] ?? 1;
  const ofKind = (constant: string) => of(kind === 'dense' ? constant : `${constant}Moe`);
  const isMeasured = isMeasuredGpu(gpu, calibration);
  const reached = (what: 'matrix' | 'attention' | 'memory') =>
    isMeasured ? 1 : gpu.efficiency[what] / reference.efficiency[what];
  // Widening weights takes instructions, and a Blackwell core executes no more of them than a Hopper
  // core.
  const isCapped = kernels === 'w4' && gpu.memoryBytesPerSecond > hopperBytes;
  const rated = isCapped ? 'H200' : name;
  const share = (what: string) =>
    of(`${what} ${kind}`) *
    of(`${what} ${rated}`) *
    of(`${what} ${kind} ${rated}`) *
    of(`${what} ${kind}/${kernels}`);
  return {
    ...layout,
    weightOnly: kernels === 'w4' || kernels === 'w8',
    hostSecondsPerStep: of('host'),
    ...(layout.plansAhead === false && { hostSecondsPerPrompt: of('hostPrompt') }),
    link: linkOf(gpu, tensorParallelSize * groups, layout.fusesAllReduce ?? true, of),
    constants: {
      layerSeconds:
        of('layer') * of(`layer ${name}`) +
        (model.experts?.perToken ?? 0) * of('layerExpert') * of(`layer ${kind}/${kernels}`) +
        (model.latentAttention ? of('layerLatent') : 0) +
        (groups > 1 ? of('layerDp') : 0),
      prefillLayerSeconds:
        ofKind('launch') *
        of(`launch ${kind}/${kernels}`) *
        (tensorParallelSize > 1 ? of(`launch shared ${kind} ${name}`) : 1) *
        (model.latentAttention ? of('launchLatent') : 1),
      graphLayerSeconds: calibration['launchGraph'] ?? 0,
      matrix:
        share('matrix') *
        (layout.rowsPerExpert ? of('matrix deepGemm') : 1) *
        reached('matrix') *
        (isCapped ? hopperFlops / gpu.flopsPerSecond : 1),
      attention: of('attention') * reached('attention'),
      weightMemory:
        share('weight') *
        reached('memory') *
        (isCapped ? hopperBytes / gpu.memoryBytesPerSecond : 1),
      kvMemory: of('kv') * of(`weight ${name}`) * of(`weight ${kind} ${name}`) * reached('memory'),
      expertEvenness: of('experts'),
      ...(model.experts?.hasFloat32Router && {
        float32FlopsPerSecond: calibration['float32'] ?? Number.POSITIVE_INFINITY,
      }),
      ...(kind === 'moe' && { expertRowsAdded: calibration['expertRows'] ?? 0 }),
    },
  };
}

/** Returns whether constants were fitted to points of this GPU or of its kin. */
export function isMeasuredGpu(
  { name, kin = name }: GpuSpec,
  calibration: PointCalibration,
): boolean {
  return calibration[`matrix ${kin}`] !== undefined;
}

/** The GPU whose constants apply, scaled, to GPUs that were not measured. */
const reference = findGpu('H100-80GB');

/** Returns the link with fitted constants; only NVLink has any. */
function linkOf(
  gpu: GpuSpec,
  gpus: number,
  isFused: boolean,
  of: (constant: string) => number,
): AllReduceLink {
  if (gpu.link.kind !== 'NVLink') return allReduceLink(gpu, gpus);
  const [fixed, perDoubling] = isFused ? ['ar0 fused', 'ar1 fused'] : ['ar0', 'ar1'];
  const start = of(fixed as string) + of(perDoubling as string) * Math.log2(gpus);
  return {
    latencySeconds: start * of(`ar ${gpu.kin ?? gpu.name}`),
    bytesPerSecond: gpu.link.bytesPerSecond * of('link'),
    // The roofline of the catalogue is fitted with a ring all-reduce.
    ...(gpu.link.inSwitchGpusMin && { inSwitchGpusMin: gpu.link.inSwitchGpusMin }),
  };
}

/** Rates of an H200, the upper limit for kernels that widen weights: Marlin runs no faster on B200. */
const [hopperFlops, hopperBytes] = [989e12, 4.8e12];

/**
 * Selects the matrix kernels: those of the weights' precision, or `w4` and `w8`, which first widen
 * weights of that many bits.
 */
export function kernelsOf(precision: WeightPrecision, gpu: GpuSpec): string {
  // No GPU multiplies int4.
  if (precision === 'int4' || (precision === 'fp4' && !multipliesFp4(gpu))) return 'w4';
  return precision === 'fp8' && !multipliesFp8(gpu) ? 'w8' : precision;
}
