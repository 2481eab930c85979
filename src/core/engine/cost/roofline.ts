// Computes step times from first principles, for models and GPUs without a profile: each part takes as long
// as its arithmetic or its memory traffic, whichever is longer.
import type { GpuSpec } from '../catalogue/gpus.ts';
import { allReduceLink, defaultHostSecondsPerStep } from '../catalogue/hosts.ts';
import {
  attentionFlopsPerPair,
  attentionLayerParameters,
  bytesPerWeightOf,
  feedForwardPerToken,
  feedForwardTouched,
  kvBytesPerTokenPerGpu,
  kvShareRead,
  type ModelSpec,
} from '../catalogue/model-spec.ts';
import { multipliesFp4, multipliesFp8 } from '../catalogue/tensor-cores.ts';
import type { StepCostModel, StepLoad } from '../contract.ts';
import { type AllReduceLink, allReduceSeconds } from './all-reduce.ts';

export interface RooflineOptions {
  readonly model: ModelSpec;
  readonly gpu: GpuSpec;
  /** Number of GPUs that share each layer; default 1. */
  readonly tensorParallelSize?: number;
  /**
   * Number of groups of GPUs that each compute the attention of a part of the requests, while all share the
   * experts; default 1. The engine has `tensorParallelSize` times as many GPUs.
   */
  readonly attentionDataParallelSize?: number;
  /** Bytes of a weight: 1 for fp8, which also doubles the matrix rate; default: the model's own. */
  readonly weightBytesPerValue?: number;
  /**
   * Whether weights of few bits are widened before the multiplication, so that they save memory traffic but
   * no arithmetic. Default false.
   */
  readonly weightOnly?: boolean;
  /** Bytes of a weight outside the experts; by default, 4-bit mixtures keep those of the model. */
  readonly attentionBytesPerValue?: number;
  /** Time of a step outside kernels; default `defaultHostSecondsPerStep`. */
  readonly hostSecondsPerStep?: number;
  /** Time of a step outside kernels for each prompt, or part of one, that it computes. Default 0. */
  readonly hostSecondsPerPrompt?: number;
  /**
   * Whether a step is planned while the previous one runs (vLLM's `--async-scheduling`), which hides the host's
   * time for each prompt. Calibrated constants depend on it. Default true.
   */
  readonly plansAhead?: boolean | undefined;
  /** The link between the GPUs; default: that of the GPU. */
  readonly link?: AllReduceLink | undefined;
  /**
   * Whether all-reduces are fused with the norm that follows (vLLM's `fuse_allreduce_rms`), which calibrated
   * constants depend on. Default true.
   */
  readonly fusesAllReduce?: boolean | undefined;
  /**
   * Rows that the kernels of the experts set aside for each expert, whether a token uses it or not, so that
   * every step reads all experts and moves these rows. By default they read only the experts in use.
   */
  readonly rowsPerExpert?: number | undefined;
  /**
   * Tokens of the largest step that runs in CUDA graphs (vLLM's `--max-cudagraph-capture-size`); default
   * `graphTokensMaxDefault`. 0: no step with prefills does.
   */
  readonly graphTokensMax?: number | undefined;
  /** Fitted constants; default: those of the GPU and the ones below. */
  readonly constants?: RooflineConstants | undefined;
}

/** Values that a calibration may set; see `pointCalibration`. */
export interface RooflineConstants {
  /** Gaps between the kernels of a layer. */
  readonly layerSeconds: number;
  /** Shares of the GPU's rates; `matrix` refers to the rate at the weights' precision. */
  readonly matrix: number;
  readonly attention: number;
  readonly weightMemory: number;
  readonly kvMemory: number;
  /**
   * Time to launch a layer's kernels one by one, in steps with prefills, which run outside CUDA graphs;
   * hidden behind long kernels. Default 0.
   */
  readonly prefillLayerSeconds?: number;
  /** The same in steps with prefills that run in CUDA graphs, but for their attention. Default 0. */
  readonly graphLayerSeconds?: number;
  /**
   * Rows that the kernels of a mixture compute for an expert in use beyond its tokens, because they compute
   * whole tiles. Default 0.
   */
  readonly expertRowsAdded?: number;
  /** Rate of float32 products outside the tensor cores. Default: that of the GPU's tensor cores. */
  readonly float32FlopsPerSecond?: number;
  /** How evenly tokens spread over experts, see `expertsTouched`; default: perfectly. */
  readonly expertEvenness?: number;
}

// The constants below, and the efficiencies of H100, H200 and B200, are fitted to the time per
// output token of measured points (docs/models/engine-model.md, "Roofline").

/** vLLM captures graphs of up to twice `max_num_seqs` sequences, and of at most this many tokens. */
const graphTokensMaxDefault = 512;

/** Gaps between the kernels of a layer. */
const layerOverheadSeconds = 11e-6;
/**
 * How well arithmetic and memory traffic overlap: t = (a^p + m^p)^(1/p). A perfect overlap would be p =
 * ∞, none p = 1; for the measured matrix kernels around the ridge, p is near 2.
 */
const overlapExponent = 2;

/**
 * Returns the roofline of the model on the GPU: matrix products, attention, output layer, element-wise
 * operations, all-reduces, and fixed times per layer and step.
 *
 * @see docs/models/engine-model.md for its error against profiles and measured points.
 */
export function rooflineCost(options: RooflineOptions): StepCostModel {
  const { model, gpu, tensorParallelSize = 1, attentionDataParallelSize: groups = 1 } = options;
  const gpusOfEngine = tensorParallelSize * groups;
  const weightBytes = options.weightBytesPerValue ?? bytesPerWeightOf(model);
  const attentionBytes = options.attentionBytesPerValue ?? attentionBytesOf(model, weightBytes);
  const host = options.hostSecondsPerStep ?? defaultHostSecondsPerStep;
  const { hostSecondsPerPrompt = 0 } = options;
  const link = options.link ?? allReduceLink(gpu, gpusOfEngine);
  const constants = options.constants ?? defaultConstants(gpu);
  const { layers, experts } = model;
  const routerFlops = experts?.hasFloat32Router ? 2 * layers * model.hiddenSize * experts.count : 0;
  const routerRate = Math.min(
    constants.float32FlopsPerSecond ?? Number.POSITIVE_INFINITY,
    gpu.flopsPerSecond,
  );
  const matrixRate =
    gpu.flopsPerSecond *
    constants.matrix *
    (options.weightOnly ? 1 : precisionSpeedUp(gpu, weightBytes));
  const attentionRate = gpu.flopsPerSecond * constants.attention;
  const weightRate = gpu.memoryBytesPerSecond * constants.weightMemory;
  const kvRate = gpu.memoryBytesPerSecond * constants.kvMemory;
  const kvBytes = kvBytesPerTokenPerGpu(model, tensorParallelSize);
  const attention = (layers * attentionLayerParameters(model)) / tensorParallelSize;
  const outputParameters = (model.vocabSize * model.hiddenSize) / tensorParallelSize;
  const feedForward = (layers * feedForwardPerToken(model)) / gpusOfEngine;
  const pairFlops = (layers * attentionFlopsPerPair(model)) / tensorParallelSize;
  const elementBytes = (layers * elementWiseBytesPerToken(model, tensorParallelSize)) / groups;
  const { rowsPerExpert = 0, graphTokensMax = graphTokensMaxDefault } = options;
  const { prefillLayerSeconds = 0, graphLayerSeconds = 0 } = constants;
  const paddingBytes = layers * paddingBytesPerLayer(model, rowsPerExpert, gpusOfEngine);

  const matrix = (flops: number, bytes: number) =>
    overlapped(flops / matrixRate, bytes / weightRate);
  const allReduce = (tokens: number) => {
    if (gpusOfEngine === 1) return 0;
    const bytes = tokens * model.hiddenSize * model.bytesPerValue;
    // The attention is not split over GPUs: only the experts' tokens are gathered and scattered again.
    if (tensorParallelSize === 1) {
      return layers * (allReduceSeconds(link, bytes, gpusOfEngine) + link.latencySeconds);
    }
    const norms = model.normalizesAllHeads ? layers * link.latencySeconds : 0;
    return 2 * layers * allReduceSeconds(link, bytes, gpusOfEngine) + norms;
  };
  const byContext = (load: StepLoad): ((decodeContextTokens: number) => number) => {
    // The attention of a prompt is computed by one group; decodes are spread over all.
    const busy = prefillGroups(load, groups);
    const attended = (load.tokens - load.prefillTokens) / groups + load.prefillTokens / busy;
    const readBy = rowsPerExpert > 0 ? Number.POSITIVE_INFINITY : load.tokens;
    const touched =
      (layers * feedForwardTouched(model, readBy, constants.expertEvenness)) / gpusOfEngine;
    const added = model.experts === undefined ? 0 : touched * (constants.expertRowsAdded ?? 0);
    const isCaptured = load.tokens <= graphTokensMax;
    const launch = load.prefillTokens > 0 && !isCaptured ? layers * prefillLayerSeconds : 0;
    const gaps = load.prefillTokens > 0 && isCaptured ? layers * graphLayerSeconds : 0;
    const beforeDecodes =
      layers * constants.layerSeconds +
      gaps +
      matrix(
        2 * (attended * attention + load.tokens * feedForward + added),
        attention * attentionBytes + touched * weightBytes,
      ) +
      matrix(
        (2 * load.sequences * outputParameters) / groups,
        outputParameters * model.bytesPerValue,
      ) +
      (attentionPairs(load, model) * pairFlops) / busy / attentionRate +
      (attended * routerFlops) / routerRate;
    const elementWise = (load.tokens * elementBytes + paddingBytes) / kvRate;
    const reduced = allReduce(load.tokens);
    const step = host + (load.sequences - load.decodeSequences) * hostSecondsPerPrompt;
    return (contextTokens) => {
      const share = decodeWindowShare(contextTokens, load.decodeSequences, model);
      const decodes = (contextTokens * kvBytes * share) / groups / kvRate;
      const kernels = beforeDecodes + decodes + elementWise + reduced;
      return step + (launch === 0 ? kernels : overlapped(kernels, launch));
    };
  };
  return { stepSeconds: (load) => byContext(load)(load.decodeContextTokens), byContext };
}

function attentionBytesOf({ experts, bytesPerValue }: ModelSpec, weightBytes: number): number {
  return experts !== undefined && weightBytes < 1 ? bytesPerValue : weightBytes;
}

/** Returns the efficiencies of the catalogue as constants. */
export function defaultConstants({ efficiency }: GpuSpec): RooflineConstants {
  const { matrix, attention, memory } = efficiency;
  return {
    ...{ matrix, attention, weightMemory: memory, kvMemory: memory },
    layerSeconds: layerOverheadSeconds,
  };
}

/** Tensor cores run twice as fast in fp8 and four times in fp4, where supported. */
function precisionSpeedUp(gpu: GpuSpec, weightBytes: number): number {
  if (weightBytes >= 2 || !multipliesFp8(gpu)) return 1;
  return weightBytes < 1 && multipliesFp4(gpu) ? 4 : 2;
}

/**
 * Counts the pairs of queries and keys of the prefills: the whole context and half of the chunk itself; in
 * layers with a window, at most the window for each token.
 */
function attentionPairs(load: StepLoad, { slidingWindow }: ModelSpec): number {
  const all = load.prefillTokenContext + load.prefillTokensSquared / 2;
  if (slidingWindow === undefined) return all;
  const { tokens, layersShare } = slidingWindow;
  const windowed = Math.min(all, load.prefillTokens * tokens);
  return all * (1 - layersShare) + windowed * layersShare;
}

function decodeWindowShare(contextTokens: number, sequences: number, model: ModelSpec): number {
  return sequences === 0 ? 1 : kvShareRead(model, contextTokens / sequences);
}

/** Counts the groups with a prompt to compute, assuming that all prompts of the step are equally long. */
function prefillGroups({ prefillTokens, prefillTokensSquared }: StepLoad, groups: number): number {
  if (groups === 1 || prefillTokens === 0) return groups;
  return Math.min(groups, Math.max(1, prefillTokens ** 2 / prefillTokensSquared));
}

/** Counts two norms over the residual stream, the activation, and the rotary embedding of queries and keys. */
function elementWiseBytesPerToken(model: ModelSpec, gpusPerLayer: number): number {
  const { hiddenSize, intermediateSize, attentionHeads, kvHeads, headDim, experts } = model;
  const active = intermediateSize * (experts?.perToken ?? 1);
  const split = 3 * active + 2 * (attentionHeads + kvHeads) * headDim;
  return (8 * hiddenSize + split / gpusPerLayer) * model.bytesPerValue;
}

/**
 * Counts what the rows set aside for experts move: their fp8 input, the output of the first product and of the
 * activation, which the GPUs share, and the output of the second.
 */
function paddingBytesPerLayer(
  { hiddenSize, intermediateSize, experts, bytesPerValue }: ModelSpec,
  rowsPerExpert: number,
  gpus: number,
): number {
  const rows = (experts?.count ?? 0) * rowsPerExpert;
  const shared = (3 * intermediateSize * bytesPerValue) / gpus;
  return rows * (hiddenSize * (1 + bytesPerValue) + shared);
}

/** Returns the time of arithmetic and memory traffic that overlap, in seconds. */
export function overlapped(a: number, b: number): number {
  return (a ** overlapExponent + b ** overlapExponent) ** (1 / overlapExponent);
}
