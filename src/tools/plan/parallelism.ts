// Parallelism of an engine: tensor parallel within a node, pipeline parallel across nodes.
import { type AttentionShape, sharesHeads } from '../../core/engine/index.ts';
import { gpusPerNode as usualGpusPerNode } from '../../core/sizing/index.ts';

export interface Parallelism {
  /** Number of GPUs that share each layer. */
  readonly tensorParallelSize: number;
  /** Number of groups of such GPUs, each with a part of the layers. */
  readonly pipelineParallelSize: number;
  readonly because: string;
}

/**
 * Follows vLLM's guide: tensor parallel over the GPUs of a node, pipeline parallel over nodes, and pipeline parallel
 * within a node if the attention heads cannot be divided evenly.
 *
 * @see https://docs.vllm.ai/en/latest/serving/parallelism_scaling/
 * @example parallelismOf({ attentionHeads: 128, kvHeads: 8 }, 16); // 8 by 2
 */
export function parallelismOf(
  model: AttentionShape,
  gpus: number,
  gpusPerNode = usualGpusPerNode,
): Parallelism {
  let tensorParallelSize = Math.min(gpus, gpusPerNode);
  while (gpus % tensorParallelSize !== 0 || !sharesHeads(model, tensorParallelSize)) {
    tensorParallelSize--;
  }
  const pipelineParallelSize = gpus / tensorParallelSize;
  const because =
    gpus === 1
      ? 'the model fits on one GPU'
      : pipelineParallelSize === 1
        ? `${gpus} GPUs of one node share each layer`
        : gpus > gpusPerNode
          ? `${gpus} GPUs are more than the ${gpusPerNode} of a node: tensor parallel within each, pipeline parallel between them`
          : `${headsText(model, gpus)} cannot be divided evenly among ${gpus} GPUs`;
  return { tensorParallelSize, pipelineParallelSize, because };
}

function headsText({ attentionHeads, kvHeads }: AttentionShape, gpus: number): string {
  return attentionHeads % gpus === 0 ? `${kvHeads} KV heads` : `${attentionHeads} attention heads`;
}
