// Step time from a measured profile, plus two constants of the host.
import { expertsTouched, type ModelSpec } from '../catalogue/model-spec.ts';
import type { StepCostModel, StepLoad } from '../contract.ts';
import { type AllReduceLink, allReduceSeconds } from './all-reduce.ts';
import { interpolate, interpolateGrid, type Samples } from './interpolation.ts';
import type { StepProfile } from './profile.ts';

export interface ProfileCostOptions {
  readonly profile: StepProfile;
  /** The model that was profiled. */
  readonly model: ModelSpec;
  /** Time of a step that no kernel accounts for: scheduling, launching, sampling. 0 unless given. */
  readonly hostSecondsPerStep?: number;
  /** GPUs of the engine; 2 unless given, if there is a link. */
  readonly tensorParallelSize?: number;
  /** For tensor parallelism only, whose all-reduces no profile of one GPU holds. */
  readonly link?: AllReduceLink | undefined;
}

/** Operations that a step does once; all others of the dense table it does in every layer. */
const oncePerStep = new Set(['embedding', 'final_layernorm']);
/** A layer normalises before attention and before its feed-forward part. */
const timesPerLayer = new Map([['layernorm', 2]]);
/** All-reduces of a tensor-parallel layer: after attention and after the feed-forward part. */
const allReducesPerLayer = 2;

/**
 * Adds up a step from its parts: attention of every layer interpolated in the measured grid, all
 * else linear in tokens or in sequences.
 *
 * @see docs/models/engine-model.md for its error against real runs.
 */
export function profileCost(options: ProfileCostOptions): StepCostModel {
  const { profile, model, hostSecondsPerStep = 0, link } = options;
  const { tensorParallelSize = 2 } = options;
  const { layers } = model;
  const hiddenBytes = model.hiddenSize * model.bytesPerValue;
  const dense = mergeSamples(
    [...profile.dense].map(([name, samples]) => ({
      samples,
      times: oncePerStep.has(name) ? 1 : layers * (timesPerLayer.get(name) ?? 1),
    })),
  );
  const perSequence = mergeSamples(
    [...profile.perSequence.values()].map((samples) => ({ samples, times: 1 })),
  );
  return {
    stepSeconds(load) {
      const ofLayer = attentionMicroseconds(profile, load) + expertMicroseconds(options, load);
      const microseconds =
        layers * ofLayer +
        interpolate(dense, load.tokens) +
        interpolate(perSequence, load.sequences);
      const allReduce = link
        ? allReduceSeconds(link, load.tokens * hiddenBytes, tensorParallelSize)
        : 0;
      return microseconds / 1e6 + allReducesPerLayer * layers * allReduce + hostSecondsPerStep;
    },
  };
}

/** The grid holds one prefill; several count as one of their sum at their weighted mean context. */
function attentionMicroseconds(profile: StepProfile, load: StepLoad): number {
  const { prefillTokens, decodeSequences } = load;
  return interpolateGrid(profile.attention, [
    prefillTokens,
    decodeSequences,
    prefillTokens === 0 ? 0 : load.prefillTokenContext / prefillTokens,
    decodeSequences === 0 ? 0 : load.decodeContextTokens / decodeSequences,
  ]);
}

/** The experts that some token of the step goes to, tokens taken to choose evenly. */
function expertMicroseconds({ profile, model }: ProfileCostOptions, load: StepLoad): number {
  if (profile.experts === undefined) return 0;
  return interpolateGrid(profile.experts, [load.tokens, expertsTouched(model, load.tokens)]);
}

/** Sums piecewise linear functions into one: exact if sampled wherever one of them bends. */
function mergeSamples(parts: readonly { samples: Samples; times: number }[]): Samples {
  const at = [...new Set(parts.flatMap(({ samples }) => samples.at))].sort((a, b) => a - b);
  const values = at.map((x) =>
    parts.reduce((sum, { samples, times }) => sum + times * interpolate(samples, x), 0),
  );
  return { at, values };
}
