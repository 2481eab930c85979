// The generated datasets of `vllm bench serve`, with its parameters, as prompts of block ids.
import { type Random, shuffled } from '../base/index.ts';
import { drawLength } from './lengths.ts';
import { PromptTree } from './prompt-tree.ts';

/** A prompt without a time. */
export interface DatasetPrompt {
  readonly promptTokens: number;
  readonly outputTokens: number;
  readonly blockIds: readonly number[];
}

/** Prompts of a dataset, in the order in which they are sent. */
export interface Dataset {
  /** Tokens per block id. */
  readonly blockTokens: number;
  readonly prompts: readonly DatasetPrompt[];
}

/** Two prompts share whole blocks of this size only, as in vLLM's prefix cache, whose blocks have 16 tokens. */
const datasetBlockTokens = 16;

/** `--dataset-name random`. */
export interface RandomDataset {
  readonly count: number;
  /** Tokens that all prompts begin with. */
  readonly prefixTokens: number;
  /** Mean tokens after the prefix. */
  readonly inputTokens: number;
  readonly outputTokens: number;
  /** Lengths are uniform in mean · (1 ± ratio). In [0, 1). */
  readonly rangeRatio: number;
  /** The ratio of the outputs, if it differs. */
  readonly outputRangeRatio?: number | undefined;
}

/**
 * Returns prompts of random words.
 *
 * @example randomDataset({ count: 9, prefixTokens: 0, inputTokens: 300, outputTokens: 40, rangeRatio: 0 }, random);
 */
export function randomDataset(options: RandomDataset, random: Random): Dataset {
  const tree = new PromptTree(datasetBlockTokens);
  const { prefixTokens, rangeRatio, outputRangeRatio = rangeRatio } = options;
  const prefix = prefixTokens > 0 ? tree.extend(tree.root, prefixTokens, 'prefix') : tree.root;
  const prompts = Array.from({ length: options.count }, () => {
    const prompt = tree.extend(prefix, drawAround(options.inputTokens, rangeRatio, random));
    const outputTokens = drawAround(options.outputTokens, outputRangeRatio, random);
    return { promptTokens: prompt.tokens, outputTokens, blockIds: tree.blockIds(prompt) };
  });
  return { blockTokens: datasetBlockTokens, prompts };
}

/** `--dataset-name prefix_repetition`. */
export interface PrefixRepetitionDataset {
  readonly count: number;
  readonly prefixes: number;
  readonly prefixTokens: number;
  readonly suffixTokens: number;
  readonly outputTokens: number;
}

/** Returns prompts that share one of a few prefixes, in random order. */
export function prefixRepetitionDataset(options: PrefixRepetitionDataset, random: Random): Dataset {
  const tree = new PromptTree(datasetBlockTokens);
  const { prefixes, prefixTokens, suffixTokens, outputTokens } = options;
  const prompts = Array.from({ length: options.count }, (_, index) => {
    const prefix = tree.extend(tree.root, prefixTokens, `prefix ${index % prefixes}`);
    const prompt = tree.extend(prefix, suffixTokens);
    return { promptTokens: prompt.tokens, outputTokens, blockIds: tree.blockIds(prompt) };
  });
  return { blockTokens: datasetBlockTokens, prompts: shuffled(prompts, random) };
}

function drawAround(mean: number, ratio: number, random: Random): number {
  const from = Math.max(1, Math.floor(mean * (1 - ratio)));
  return drawLength({ from, to: Math.max(from, Math.ceil(mean * (1 + ratio))) }, random);
}
