// Step time from a measured profile, plus two constants of the host.
import type { StepCostModel, StepLoad } from '../contract.ts';
import { interpolate, interpolateGrid, type Samples } from './interpolation.ts';
import type { StepProfile } from './profile.ts';

/** The link over which the GPUs of one engine sum up their partial results. */
export interface AllReduceLink {
  readonly latencySeconds: number;
  readonly bytesPerSecond: number;
}

export interface ProfileCostOptions {
  readonly profile: StepProfile;
  /** Transformer layers of the model. */
  readonly layers: number;
  /** Time of a step that no kernel accounts for: scheduling, launching, sampling. 0 unless given. */
  readonly hostSecondsPerStep?: number;
  /** For tensor parallelism only: two all-reduces a layer of `hiddenBytes` per token. */
  readonly allReduce?: { readonly link: AllReduceLink; readonly hiddenBytes: number };
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
  const { profile, layers, hostSecondsPerStep = 0, allReduce } = options;
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
      const microseconds =
        layers * attentionMicroseconds(profile, load) +
        interpolate(dense, load.tokens) +
        interpolate(perSequence, load.sequences);
      const link = allReduce
        ? allReducesPerLayer *
          layers *
          (allReduce.link.latencySeconds +
            (load.tokens * allReduce.hiddenBytes) / allReduce.link.bytesPerSecond)
        : 0;
      return microseconds / 1e6 + link + hostSecondsPerStep;
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

/** Sums piecewise linear functions into one: exact if sampled wherever one of them bends. */
function mergeSamples(parts: readonly { samples: Samples; times: number }[]): Samples {
  const at = [...new Set(parts.flatMap(({ samples }) => samples.at))].sort((a, b) => a - b);
  const values = at.map((x) =>
    parts.reduce((sum, { samples, times }) => sum + times * interpolate(samples, x), 0),
  );
  return { at, values };
}
