// Pipeline parallelism: the layers of an engine lie on several groups of GPUs, through which
// batches follow one another.
import type { ModelSpec } from '../catalogue/model-spec.ts';
import type { EngineConfig } from '../config.ts';
import type { StepCostModel } from '../contract.ts';

export interface PipelineOptions {
  /** Groups of GPUs, each with its part of the layers. */
  readonly stages: number;
  readonly model: ModelSpec;
  /** Between two groups. */
  readonly linkBytesPerSecond: number;
}

/**
 * The step of an engine whose `stages` batches are in flight at a time, each with its part of the
 * requests: a batch passes all layers in the time that one engine of all layers would take for it,
 * and in that time each of the other batches does the same. So a step over all requests takes as
 * long as one over a batch of them, plus handing the hidden states on. Fewer requests than stages
 * leave stages idle.
 *
 * The token budget of vLLM is one batch's: see `pipelinedConfig`.
 */
export function pipelinedCost(
  cost: StepCostModel,
  { stages, model, linkBytesPerSecond }: PipelineOptions,
): StepCostModel {
  if (stages === 1) return cost;
  const bytesPerToken = model.hiddenSize * model.bytesPerValue;
  return {
    stepSeconds(load) {
      const batches = Math.max(1, Math.min(stages, load.sequences));
      const part = {
        sequences: load.sequences / batches,
        tokens: load.tokens / batches,
        prefillTokens: load.prefillTokens / batches,
        prefillTokenContext: load.prefillTokenContext / batches,
        prefillTokensSquared: load.prefillTokensSquared / batches,
        decodeSequences: load.decodeSequences / batches,
        decodeContextTokens: load.decodeContextTokens / batches,
      };
      const handOn = ((stages - 1) * part.tokens * bytesPerToken) / linkBytesPerSecond;
      return cost.stepSeconds(part) + handOn;
    },
  };
}

/** The configuration of such an engine: the token budget of all batches in flight. */
export function pipelinedConfig(config: EngineConfig, stages: number): EngineConfig {
  return { ...config, maxNumBatchedTokens: config.maxNumBatchedTokens * stages };
}
