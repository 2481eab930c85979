// Data-parallel cores of a mixture of experts: each attends to its own requests, and all share the
// experts, so that they take every step together.
import { expertsTouched, type ModelSpec } from '../catalogue/model-spec.ts';
import type { LockstepCostModel, StepCostModel, StepLoad } from '../contract.ts';
import { type AllReduceLink, allReduceSeconds } from './all-reduce.ts';
import { interpolateGrid } from './interpolation.ts';
import type { StepProfile } from './profile.ts';

export interface ProfileLockstepOptions {
  readonly profile: StepProfile;
  readonly model: ModelSpec;
  readonly cores: number;
  /** Whether each core holds whole experts (`--enable-expert-parallel`) and not a slice of each. */
  readonly expertParallel: boolean;
  /** A step of one core without experts. */
  readonly own: StepCostModel;
  /** Between the GPUs of all cores. */
  readonly link: AllReduceLink | undefined;
}

/**
 * With measured step times: the longest of the cores' own parts, the experts for the tokens of all cores,
 * and in each layer a gathering and a scattering of those tokens.
 */
export function profileLockstep(options: ProfileLockstepOptions): LockstepCostModel {
  const { profile, model, cores, expertParallel, own, link } = options;
  return {
    stepSeconds(loads) {
      const tokens = loads.reduce((sum, load) => sum + load.tokens, 0);
      const touched = expertsTouched(model, tokens);
      const { experts } = profile;
      // Whole experts see their share of the tokens; slices of all experts see all tokens.
      const layerMicroseconds =
        experts === undefined
          ? 0
          : expertParallel
            ? interpolateGrid(experts, [tokens / cores, touched / cores])
            : interpolateGrid(experts, [tokens, touched]) / cores;
      const bytes = tokens * model.hiddenSize * model.bytesPerValue;
      const exchange = link ? allReduceSeconds(link, bytes, cores) : 0;
      return (
        Math.max(...loads.map((load) => own.stepSeconds(load))) +
        model.layers * (layerMicroseconds / 1e6 + exchange)
      );
    },
  };
}

/** From the cost of an engine whose attention is data parallel, which takes the load of all cores. */
export function summedLockstep(cost: StepCostModel): LockstepCostModel {
  return { stepSeconds: (loads) => cost.stepSeconds(loads.reduce(sum)) };
}

function sum(a: StepLoad, b: StepLoad): StepLoad {
  return {
    sequences: a.sequences + b.sequences,
    tokens: a.tokens + b.tokens,
    prefillTokens: a.prefillTokens + b.prefillTokens,
    prefillTokenContext: a.prefillTokenContext + b.prefillTokenContext,
    prefillTokensSquared: a.prefillTokensSquared + b.prefillTokensSquared,
    decodeSequences: a.decodeSequences + b.decodeSequences,
    decodeContextTokens: a.decodeContextTokens + b.decodeContextTokens,
  };
}
