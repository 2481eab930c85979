// Computes the steps of data-parallel cores of a mixture of experts. Each core computes the attention of its
// own requests, and all share the experts, so they execute every step together.
import { expertsTouched, type ModelSpec } from '../catalogue/model-spec.ts';
import type { LockstepCostModel, StepCostModel, StepLoad } from '../contract.ts';
import { type AllReduceLink, allReduceSeconds } from './all-reduce.ts';
import { interpolateGrid } from './interpolation.ts';
import type { StepProfile } from './profile.ts';

export interface ProfileLockstepOptions {
  readonly profile: StepProfile;
  readonly model: ModelSpec;
  readonly cores: number;
  /** Whether each core holds whole experts (`--enable-expert-parallel`) rather than a slice of each. */
  readonly expertParallel: boolean;
  /** Cost of a step of one core without experts. */
  readonly own: StepCostModel;
  /** The link between the GPUs of all cores. */
  readonly link: AllReduceLink | undefined;
  /** Memory bandwidth of a GPU that its kernels reach. */
  readonly memoryBytesPerSecond: number;
}

/**
 * Sums, from measured times, the longest of the cores' own parts, the experts for the tokens of all cores,
 * and in each layer a gather and a scatter of those tokens.
 */
export function profileLockstep(options: ProfileLockstepOptions): LockstepCostModel {
  const { model, cores, expertParallel, own, link, memoryBytesPerSecond } = options;
  return {
    stepSeconds(loads) {
      const tokens = loads.reduce((sum, load) => sum + load.tokens, 0);
      const touched = expertsTouched(model, tokens);
      const layerMicroseconds = expertMicroseconds(options, tokens, touched);
      // The router's logits are gathered, but not scattered.
      const values = model.hiddenSize + (model.experts?.count ?? 0) / 2;
      const bytes = tokens * values * model.bytesPerValue;
      const exchange = link ? allReduceSeconds(link, bytes, cores) : 0;
      const elsewhere = expertParallel ? elsewhereBytes(model, cores) * tokens : 0;
      return (
        Math.max(...loads.map((load) => own.stepSeconds(load))) +
        model.layers * (layerMicroseconds / 1e6 + exchange + elsewhere / memoryBytesPerSecond)
      );
    },
  };
}

/**
 * Looks up one layer's experts. Slices of all experts process all tokens; whole experts process the tokens
 * that chose them.
 */
function expertMicroseconds(
  { profile, cores, expertParallel }: ProfileLockstepOptions,
  tokens: number,
  touched: number,
): number {
  const { experts, sharedExperts } = profile;
  if (experts === undefined) return 0;
  if (!expertParallel) return interpolateGrid(experts, [tokens, touched]) / cores;
  const measured = sharedExperts?.get(cores);
  if (measured !== undefined) return interpolateGrid(measured, [tokens, touched / cores]);
  return interpolateGrid(experts, [tokens / cores, touched / cores]);
}

/**
 * Returns the memory traffic of one token's experts that other cores hold. vLLM's Triton kernels keep a row for each
 * expert of each token and skip only the product: they write zeros for both products, and the activation
 * and the sum over experts read and write all rows.
 *
 * @see https://github.com/vllm-project/vllm vllm/model_executor/layers/fused_moe/fused_moe.py,
 *   `write_zeros_to_output` and `moe_sum`
 */
function elsewhereBytes(
  { experts, intermediateSize, hiddenSize, ...model }: ModelSpec,
  cores: number,
) {
  const rows = (experts?.perToken ?? 0) * (1 - 1 / cores);
  // Gate and up: written, read by the activation, which writes half as many; down: written, read by the sum.
  return rows * (5 * intermediateSize + 2 * hiddenSize) * model.bytesPerValue;
}

/** Computes each step from the cost of an engine with data-parallel attention, given the sum of all loads. */
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
