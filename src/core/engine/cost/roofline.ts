// Step time from first principles, for models and GPUs that nobody has profiled: each part takes
// as long as its arithmetic or its memory traffic, whichever is more.
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
  /** GPUs that share each layer; 1 unless given. */
  readonly tensorParallelSize?: number;
  /**
   * Groups of GPUs that each compute the attention of a part of the requests, while all share the
   * experts; 1 unless given. The engine then has `tensorParallelSize` times as many GPUs.
   */
  readonly attentionDataParallelSize?: number;
  /** 1 for fp8 weights, which also double the matrix rate; the model's own unless given. */
  readonly weightBytesPerValue?: number;
  /**
   * Weights of few bits are only stored so, and widened before they are multiplied: they save memory
   * traffic, not arithmetic. False unless given.
   */
  readonly weightOnly?: boolean;
  /** Of the weights outside the experts; 4-bit mixtures keep theirs unless this says otherwise. */
  readonly attentionBytesPerValue?: number;
  /** Time of a step outside kernels; `defaultHostSecondsPerStep` unless given. */
  readonly hostSecondsPerStep?: number;
  /** That of the GPU unless given. */
  readonly link?: AllReduceLink | undefined;
  /** Those of the GPU and of the constants below unless given. */
  readonly constants?: RooflineConstants | undefined;
}

/** What a calibration may set; see `pointCalibration`. */
export interface RooflineConstants {
  /** Gaps between the kernels of a layer. */
  readonly layerSeconds: number;
  /** Shares of the GPU's rates; `matrix` is of the rate at the weights' precision. */
  readonly matrix: number;
  readonly attention: number;
  readonly weightMemory: number;
  readonly kvMemory: number;
  /**
   * Launching a layer's kernels one by one, in steps with prefills, which run outside CUDA graphs;
   * hidden behind long kernels. 0 unless given.
   */
  readonly prefillLayerSeconds?: number;
  /** How evenly tokens spread over experts, see `expertsTouched`; perfectly unless given. */
  readonly expertEvenness?: number;
}

// The constants below, and the efficiencies of H100, H200 and B200, are fitted to the time per
// output token of measured points (docs/models/engine-model.md, "Roofline").

/** Gaps between the kernels of a layer. */
const layerOverheadSeconds = 11e-6;
/**
 * How sharply arithmetic and memory traffic hide each other: t = (a^p + m^p)^(1/p). A perfect
 * overlap would be p = ∞, none p = 1; the measured matrix kernels around the ridge lie near 2.
 */
const overlapExponent = 2;

/**
 * A roofline of the model on the GPU: matrix products, attention, output layer, element-wise
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
  const link = options.link ?? allReduceLink(gpu, gpusOfEngine);
  const constants = options.constants ?? defaultConstants(gpu);
  const { layers } = model;
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

  const matrix = (flops: number, bytes: number) =>
    overlapped(flops / matrixRate, bytes / weightRate);
  const allReduce = (tokens: number) => {
    if (gpusOfEngine === 1) return 0;
    const bytes = tokens * model.hiddenSize * model.bytesPerValue;
    // Whole attention on each GPU: only the experts' tokens are gathered and scattered again.
    if (tensorParallelSize === 1) {
      return layers * (allReduceSeconds(link, bytes, gpusOfEngine) + link.latencySeconds);
    }
    return 2 * layers * allReduceSeconds(link, bytes, gpusOfEngine);
  };
  const byContext = (load: StepLoad): ((decodeContextTokens: number) => number) => {
    // The attention of a prompt is computed by one group; decodes are spread over all.
    const busy = prefillGroups(load, groups);
    const attended = (load.tokens - load.prefillTokens) / groups + load.prefillTokens / busy;
    const touched =
      (layers * feedForwardTouched(model, load.tokens, constants.expertEvenness)) / gpusOfEngine;
    const launch = load.prefillTokens > 0 ? layers * (constants.prefillLayerSeconds ?? 0) : 0;
    const beforeDecodes =
      layers * constants.layerSeconds +
      matrix(
        2 * (attended * attention + load.tokens * feedForward),
        attention * attentionBytes + touched * weightBytes,
      ) +
      matrix(
        (2 * load.sequences * outputParameters) / groups,
        outputParameters * model.bytesPerValue,
      ) +
      (attentionPairs(load, model) * pairFlops) / busy / attentionRate;
    const elementWise = (load.tokens * elementBytes) / kvRate;
    const reduced = allReduce(load.tokens);
    return (contextTokens) => {
      const share = decodeWindowShare(contextTokens, load.decodeSequences, model);
      const decodes = (contextTokens * kvBytes * share) / groups / kvRate;
      const kernels = beforeDecodes + decodes + elementWise + reduced;
      return host + (launch === 0 ? kernels : overlapped(kernels, launch));
    };
  };
  return { stepSeconds: (load) => byContext(load)(load.decodeContextTokens), byContext };
}

function attentionBytesOf({ experts, bytesPerValue }: ModelSpec, weightBytes: number): number {
  return experts !== undefined && weightBytes < 1 ? bytesPerValue : weightBytes;
}

/** Those of the catalogue. */
export function defaultConstants({ efficiency }: GpuSpec): RooflineConstants {
  const { matrix, attention, memory } = efficiency;
  return {
    ...{ matrix, attention, weightMemory: memory, kvMemory: memory },
    layerSeconds: layerOverheadSeconds,
  };
}

/** In fp8 tensor cores run twice as fast, in fp4 four times, where they have it. */
function precisionSpeedUp(gpu: GpuSpec, weightBytes: number): number {
  if (weightBytes >= 2 || !multipliesFp8(gpu)) return 1;
  return weightBytes < 1 && multipliesFp4(gpu) ? 4 : 2;
}

/**
 * Query and key pairs of the prefills: all context, and half of the chunk itself; in layers with a
 * window no more than that for each token.
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

/** Groups that have a prompt to compute, as if all prompts of the step were equally long. */
function prefillGroups({ prefillTokens, prefillTokensSquared }: StepLoad, groups: number): number {
  if (groups === 1 || prefillTokens === 0) return groups;
  return Math.min(groups, Math.max(1, prefillTokens ** 2 / prefillTokensSquared));
}

/** Two norms over the residual stream, the activation, and rotating queries and keys. */
function elementWiseBytesPerToken(model: ModelSpec, gpusPerLayer: number): number {
  const { hiddenSize, intermediateSize, attentionHeads, kvHeads, headDim, experts } = model;
  const active = intermediateSize * (experts?.perToken ?? 1);
  const split = 3 * active + 2 * (attentionHeads + kvHeads) * headDim;
  return (8 * hiddenSize + split / gpusPerLayer) * model.bytesPerValue;
}

/** Arithmetic and memory traffic, in seconds, as far as each hides the other. */
export function overlapped(a: number, b: number): number {
  return (a ** overlapExponent + b ** overlapExponent) ** (1 / overlapExponent);
}
