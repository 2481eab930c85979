// Pipeline parallelism: several groups of GPUs each have a part of the layers, and batches pass the groups one
// after the other.
import type { ModelSpec } from '../catalogue/model-spec.ts';
import type { EngineConfig } from '../config.ts';
import type { StepCostModel } from '../contract.ts';

export interface PipelineOptions {
  /** Number of groups of GPUs, each with a part of the layers. */
  readonly stages: number;
  readonly model: ModelSpec;
  /** The link between two groups. */
  readonly linkBytesPerSecond: number;
}

/**
 * Computes the step of an engine with `stages` batches in flight, each with a part of the requests. A batch
 * passes all layers in the time that one engine with all layers would take for it, and the other batches do
 * the same in that time. A step over all requests therefore takes as long as a step over one batch, plus the
 * transfer of the hidden states. With fewer requests than stages, some stages are idle.
 *
 * vLLM's token budget applies to one batch: see `pipelinedConfig`.
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

/** Returns the configuration of such an engine, with the token budget of all batches in flight. */
export function pipelinedConfig(config: EngineConfig, stages: number): EngineConfig {
  return { ...config, maxNumBatchedTokens: config.maxNumBatchedTokens * stages };
}
