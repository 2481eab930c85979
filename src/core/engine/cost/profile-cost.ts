// Computes step times from a measured profile and two constants of the host.
import { expertsTouched, type ModelSpec } from '../catalogue/model-spec.ts';
import type { StepCostModel, StepLoad } from '../contract.ts';
import { type AllReduceLink, allReduceSeconds } from './all-reduce.ts';
import { interpolate, interpolateGrid, type Samples } from './interpolation.ts';
import type { StepProfile } from './profile.ts';

export interface ProfileCostOptions {
  readonly profile: StepProfile;
  /** The model that was profiled. */
  readonly model: ModelSpec;
  /** Time of a step outside kernels: scheduling, launching, sampling. Default 0. */
  readonly hostSecondsPerStep?: number;
  /** Number of GPUs of the engine; default 2 if there is a link. */
  readonly tensorParallelSize?: number;
  /** The link for all-reduces of tensor parallelism, which a profile of one GPU does not contain. */
  readonly link?: AllReduceLink | undefined;
}

/** Operations that run once per step; all others in the dense table run in every layer. */
const oncePerStep = new Set(['embedding', 'final_layernorm']);
/** A layer normalises before attention and before its feed-forward part. */
const timesPerLayer = new Map([['layernorm', 2]]);
/** All-reduces of a tensor-parallel layer: after attention and after the feed-forward part. */
const allReducesPerLayer = 2;

/**
 * Sums the parts of a step: the attention of every layer, interpolated in the measured grid, and everything
 * else, interpolated over tokens or sequences.
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

/**
 * Looks up one layer's attention. The grid contains single prefills, so several count as one with their
 * total size and their weighted mean context.
 */
function attentionMicroseconds(profile: StepProfile, load: StepLoad): number {
  const { prefillTokens, decodeSequences } = load;
  return interpolateGrid(profile.attention, [
    prefillTokens,
    decodeSequences,
    prefillTokens === 0 ? 0 : load.prefillTokenContext / prefillTokens,
    decodeSequences === 0 ? 0 : load.decodeContextTokens / decodeSequences,
  ]);
}

/** Looks up one layer's experts, assuming that tokens choose them evenly. */
function expertMicroseconds({ profile, model }: ProfileCostOptions, load: StepLoad): number {
  if (profile.experts === undefined) return 0;
  return interpolateGrid(profile.experts, [load.tokens, expertsTouched(model, load.tokens)]);
}

/** Sums piecewise linear functions into one, which is exact because it is sampled at every breakpoint. */
function mergeSamples(parts: readonly { samples: Samples; times: number }[]): Samples {
  const at = [...new Set(parts.flatMap(({ samples }) => samples.at))].sort((a, b) => a - b);
  const values = at.map((x) =>
    parts.reduce((sum, { samples, times }) => sum + times * interpolate(samples, x), 0),
  );
  return { at, values };
}
