// Computes tables that a step profile may lack from the GPU's datasheet.
import type { GpuSpec } from '../catalogue/gpus.ts';
import { feedForwardParametersOf, type ModelSpec } from '../catalogue/model-spec.ts';
import { type Grid, gridOf, type Samples, samplesOf } from './interpolation.ts';
import type { StepProfile } from './profile.ts';
import { overlapped } from './roofline.ts';

export interface ProfileGapOptions {
  readonly model: ModelSpec;
  readonly gpu: GpuSpec;
  readonly tensorParallelSize: number;
  /** Bytes of a weight of the experts. */
  readonly weightBytesPerValue: number;
}

/** Startup time of one or two kernels: the shortest times in both profiles of bench/data/vllm-runs. */
const startMicroseconds = 2;
/**
 * Startup time of the sampler, which has many kernels: 12 and 25 µs for one sequence in the same
 * profiles.
 */
const samplerStartMicroseconds = 18;
/** Number of passes of the sampler over the fp32 logits: 1.8 and 2.0 for 256 sequences there. */
const logitPasses = 1.9;
const counts = [1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024, 2048, 4096, 8192];

/**
 * Adds the output layer and sampler, and the experts if the model is a mixture of experts.
 *
 * @returns The profile, and one sentence for each table that was filled in.
 */
export function fillProfileGaps(
  profile: StepProfile,
  options: ProfileGapOptions,
): { readonly profile: StepProfile; readonly notes: readonly string[] } {
  const { model, gpu } = options;
  const notes: string[] = [];
  const filled = (what: string) =>
    notes.push(`The profile has no ${what}; it is computed from the rates of the ${gpu.name}.`);
  let { perSequence, experts } = profile;
  if (perSequence.size === 0) {
    perSequence = outputTables(options);
    filled('per_sequence.csv (output layer and sampler)');
  }
  if (model.experts !== undefined && experts === undefined) {
    experts = expertTable(model.experts, options);
    filled('moe.csv (experts)');
  }
  return { profile: { ...profile, perSequence, experts }, notes };
}

function outputTables({ model, gpu, tensorParallelSize }: ProfileGapOptions): Map<string, Samples> {
  const parameters = (model.vocabSize * model.hiddenSize) / tensorParallelSize;
  const bytesPerSecond = gpu.memoryBytesPerSecond * gpu.efficiency.memory;
  const flopsPerSecond = gpu.flopsPerSecond * gpu.efficiency.matrix;
  const output = (sequences: number) =>
    overlapped(
      (2 * sequences * parameters) / flopsPerSecond,
      (parameters * model.bytesPerValue) / bytesPerSecond,
    );
  const sampler = (sequences: number) =>
    (sequences * model.vocabSize * 4 * logitPasses) / bytesPerSecond;
  return new Map([
    ['lm_head', sampled((n) => startMicroseconds + output(n) * 1e6)],
    ['sampler', sampled((n) => samplerStartMicroseconds + sampler(n) * 1e6)],
  ]);
}

function sampled(of: (count: number) => number): Samples {
  return samplesOf(counts.map((count) => [count, of(count)]));
}

/** Computes the time of one layer's experts over (tokens, experts that some token uses). */
function expertTable(
  { count, perToken, shared = 0 }: NonNullable<ModelSpec['experts']>,
  { model, gpu, tensorParallelSize, weightBytesPerValue }: ProfileGapOptions,
): Grid {
  const expert = feedForwardParametersOf(model) / tensorParallelSize;
  const flopsPerSecond = gpu.flopsPerSecond * gpu.efficiency.matrix;
  const bytesPerSecond = gpu.memoryBytesPerSecond * gpu.efficiency.memory;
  const activated = [...counts.filter((n) => n < count), count];
  return gridOf(
    counts.flatMap((tokens) =>
      activated.map((experts) => [
        tokens,
        experts,
        2 * startMicroseconds +
          overlapped(
            (2 * tokens * (perToken + shared) * expert) / flopsPerSecond,
            ((experts + shared) * expert * weightBytesPerValue) / bytesPerSecond,
          ) *
            1e6,
      ]),
    ),
  );
}
