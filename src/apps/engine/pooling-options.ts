// Whether a model returns vectors or scores instead of text: by its kind, or because the flags turn it into one that does.
import { InputError } from '../../core/base/index.ts';
import type { ModelSpec } from '../../core/engine/index.ts';
import type { PoolingOptions, SpecialTokens } from './options.ts';

/** vLLM's flags that decide. */
export interface PoolingFlags {
  readonly runner?: string | undefined;
  readonly convert?: string | undefined;
  /** JSON; `is_matryoshka` and `matryoshka_dimensions` are read. */
  readonly hfOverrides?: string | undefined;
}

/**
 * @param hasStandInTokenizer Whether the tokenizer is not the model's own, so that it adds no special tokens of it.
 * @returns Undefined for a model that generates text.
 * @throws {InputError} If a model that returns vectors or scores is asked to generate.
 * @see vllm/config/model.py, `_get_runner_type` and `_get_convert_type`
 */
export function poolingOptions(
  model: ModelSpec,
  flags: PoolingFlags,
  hasStandInTokenizer: boolean,
): PoolingOptions | undefined {
  const task = taskOf(model, flags);
  if (task === undefined) return undefined;
  const matryoshka = matryoshkaOf(flags.hfOverrides) ?? model.pooling?.matryoshka;
  const labels = model.pooling?.labels;
  const specials = hasStandInTokenizer ? specialTokens(model) : undefined;
  return {
    ...{ task, dimensions: model.hiddenSize, ...(matryoshka && { matryoshka }) },
    ...(labels && labels.length > 0 && { labels }),
    ...(specials && { specials }),
  };
}

/** Those of BERT's tokenizer, or of RoBERTa's, whose vocabularies have other sizes. */
function specialTokens({ pooling, vocabSize }: ModelSpec): SpecialTokens | undefined {
  if (!pooling?.isEncoder) return undefined;
  // Vocabularies of RoBERTa and of XLM-RoBERTa.
  return vocabSize === 50_265 || vocabSize >= 250_000
    ? { begin: 0, between: [2, 2], end: 2 }
    : { begin: 101, between: [102], end: 102 };
}

function taskOf(
  { name, pooling }: ModelSpec,
  { runner, convert }: PoolingFlags,
): PoolingOptions['task'] | undefined {
  if (runner === 'generate' && pooling !== undefined) {
    throw new InputError(`${name} generates no text: vLLM would not start with --runner generate.`);
  }
  if (pooling !== undefined) return pooling.task;
  if (convert === 'classify' || convert === 'score') return 'score';
  return convert === 'embed' || runner === 'pooling' ? 'embed' : undefined;
}

function matryoshkaOf(overrides: string | undefined): PoolingOptions['matryoshka'] {
  if (overrides === undefined) return undefined;
  let given: unknown;
  try {
    given = JSON.parse(overrides);
  } catch (cause) {
    throw new InputError(`--hf-overrides is no JSON: ${overrides}`, { cause });
  }
  const { is_matryoshka: isAny, matryoshka_dimensions: listed } = Object(given) as {
    readonly is_matryoshka?: unknown;
    readonly matryoshka_dimensions?: unknown;
  };
  if (Array.isArray(listed)) return listed.filter((one) => typeof one === 'number');
  return isAny === true ? 'any' : undefined;
}
