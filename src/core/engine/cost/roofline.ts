// Step time from first principles, for models and GPUs that nobody has profiled: each part takes
// as long as its arithmetic or its memory traffic, whichever is more.
import type { GpuSpec } from '../catalogue/gpus.ts';
import { allReduceLink, defaultHostSecondsPerStep } from '../catalogue/hosts.ts';
import {
  kvBytesPerTokenPerGpu,
  layerParametersPerToken,
  layerParametersTouched,
  type ModelSpec,
} from '../catalogue/model-spec.ts';
import type { StepCostModel, StepLoad } from '../contract.ts';
import type { AllReduceLink } from './profile-cost.ts';

export interface RooflineOptions {
  readonly model: ModelSpec;
  readonly gpu: GpuSpec;
  /** GPUs that share each layer; 1 unless given. */
  readonly tensorParallelSize?: number;
  /** 1 for fp8 weights, which also double the matrix rate; the model's own unless given. */
  readonly weightBytesPerValue?: number;
  /** Time of a step outside kernels; `defaultHostSecondsPerStep` unless given. */
  readonly hostSecondsPerStep?: number;
  /** That of the GPU unless given. */
  readonly link?: AllReduceLink | undefined;
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
  const { model, gpu, tensorParallelSize: gpusPerLayer = 1 } = options;
  const weightBytesPerValue = options.weightBytesPerValue ?? model.bytesPerValue;
  const host = options.hostSecondsPerStep ?? defaultHostSecondsPerStep;
  const link = options.link ?? allReduceLink(gpu, gpusPerLayer);
  const speedUp = weightBytesPerValue === 1 ? 2 : 1;
  const matrixRate = gpu.flopsPerSecond * gpu.efficiency.matrix * speedUp;
  const attentionRate = gpu.flopsPerSecond * gpu.efficiency.attention;
  const memoryRate = gpu.memoryBytesPerSecond * gpu.efficiency.memory;
  const kvBytes = kvBytesPerTokenPerGpu(model, gpusPerLayer);
  const perTokenParameters = (model.layers * layerParametersPerToken(model)) / gpusPerLayer;
  const outputParameters = (model.vocabSize * model.hiddenSize) / gpusPerLayer;
  const pairFlops = (4 * model.layers * model.attentionHeads * model.headDim) / gpusPerLayer;
  const elementBytes = model.layers * elementWiseBytesPerToken(model, gpusPerLayer);

  const matrix = (flops: number, bytes: number) =>
    overlapped(flops / matrixRate, bytes / memoryRate);
  const allReduce = (tokens: number) => {
    if (gpusPerLayer === 1) return 0;
    const share = (2 * (gpusPerLayer - 1)) / gpusPerLayer;
    const bytes = share * tokens * model.hiddenSize * model.bytesPerValue;
    return 2 * model.layers * (link.latencySeconds + bytes / link.bytesPerSecond);
  };
  return {
    stepSeconds(load) {
      const touched = (model.layers * layerParametersTouched(model, load.tokens)) / gpusPerLayer;
      return (
        host +
        model.layers * layerOverheadSeconds +
        matrix(2 * load.tokens * perTokenParameters, touched * weightBytesPerValue) +
        matrix(2 * load.sequences * outputParameters, outputParameters * model.bytesPerValue) +
        attentionPairs(load) * (pairFlops / attentionRate) +
        (load.decodeContextTokens * kvBytes) / memoryRate +
        (load.tokens * elementBytes) / memoryRate +
        allReduce(load.tokens)
      );
    },
  };
}

/** Query and key pairs of the prefills: all context, and half of the chunk itself. */
function attentionPairs(load: StepLoad): number {
  return load.prefillTokenContext + load.prefillTokensSquared / 2;
}

/** Two norms over the residual stream, the activation, and rotating queries and keys. */
function elementWiseBytesPerToken(model: ModelSpec, gpusPerLayer: number): number {
  const { hiddenSize, intermediateSize, attentionHeads, kvHeads, headDim, experts } = model;
  const active = intermediateSize * (experts?.perToken ?? 1);
  const split = 3 * active + 2 * (attentionHeads + kvHeads) * headDim;
  return (8 * hiddenSize + split / gpusPerLayer) * model.bytesPerValue;
}

function overlapped(a: number, b: number): number {
  return (a ** overlapExponent + b ** overlapExponent) ** (1 / overlapExponent);
}
