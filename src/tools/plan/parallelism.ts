// How the GPUs of one engine share its model: tensor parallel within a node, pipeline parallel beyond it.
import type { ModelSpec } from '../../core/engine/index.ts';

export interface Parallelism {
  /** GPUs that share each layer. */
  readonly tensorParallelSize: number;
  /** Groups of such GPUs, each with a part of the layers. */
  readonly pipelineParallelSize: number;
  readonly because: string;
}

/**
 * GPUs of one host, between which an all-reduce is fast: those of NVIDIA's HGX boards, and the most that
 * servers with PCIe cards take.
 */
export const gpusPerNode = 8;

/**
 * As vLLM's guide has it: tensor parallel over the GPUs of a node, pipeline parallel over nodes; and
 * pipeline parallel in a node, too, where the attention heads cannot be shared evenly.
 *
 * @see https://docs.vllm.ai/en/latest/serving/parallelism_scaling/
 * @example parallelismOf({ attentionHeads: 128 }, 16); // 8 by 2
 */
export function parallelismOf(
  { attentionHeads }: Pick<ModelSpec, 'attentionHeads'>,
  gpus: number,
): Parallelism {
  let tensorParallelSize = Math.min(gpus, gpusPerNode);
  while (gpus % tensorParallelSize !== 0 || attentionHeads % tensorParallelSize !== 0) {
    tensorParallelSize--;
  }
  const pipelineParallelSize = gpus / tensorParallelSize;
  const because =
    gpus === 1
      ? 'one GPU holds the model'
      : pipelineParallelSize === 1
        ? `${gpus} GPUs of one node share each layer`
        : gpus > gpusPerNode
          ? `${gpus} GPUs are more than the ${gpusPerNode} of a node: tensor parallel within each, pipeline parallel between them`
          : `${attentionHeads} attention heads cannot be shared evenly by ${gpus} GPUs`;
  return { tensorParallelSize, pipelineParallelSize, because };
}
