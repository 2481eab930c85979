// Whether a model returns vectors or scores instead of text: by its kind, or because the flags turn it into one that does.
import { InputError } from '../../core/base/index.ts';
import type { ModelSpec } from '../../core/engine/index.ts';
import type { PoolingOptions } from './options.ts';

/** vLLM's flags that decide. */
export interface PoolingFlags {
  readonly runner?: string | undefined;
  readonly convert?: string | undefined;
  /** JSON; `is_matryoshka` and `matryoshka_dimensions` are read. */
  readonly hfOverrides?: string | undefined;
}

/**
 * @returns Undefined for a model that generates text.
 * @throws {InputError} If a model that returns vectors or scores is asked to generate.
 * @see vllm/config/model.py, `_get_runner_type` and `_get_convert_type`
 */
export function poolingOptions(model: ModelSpec, flags: PoolingFlags): PoolingOptions | undefined {
  const task = taskOf(model, flags);
  if (task === undefined) return undefined;
  const matryoshka = matryoshkaOf(flags.hfOverrides) ?? model.pooling?.matryoshka;
  return { task, dimensions: model.hiddenSize, ...(matryoshka && { matryoshka }) };
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
