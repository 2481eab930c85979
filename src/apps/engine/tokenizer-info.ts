// The response of /tokenizer_info: tokenizer_config.json as the transformers library represents it
// after loading.
import { readTokenizerConfig } from '../../io/tokenizers/index.ts';

/** @param folder Holds the files of the tokenizer in use. */
export async function readTokenizerInfo(
  model: string,
  folder: string,
): Promise<Readonly<Record<string, unknown>>> {
  const config = await readTokenizerConfig(folder);
  const { additional_special_tokens: extra, tokenizer_class: className, ...others } = config;
  // Consumed by the tokenizer's own constructor.
  const { add_bos_token: _bos, add_eos_token: _eos, ...rest } = others;
  return {
    tokenizer_class: `TokenizerPoolCached${String(className ?? 'PreTrainedTokenizerFast')}`,
    ...(withoutTokenFlags(rest) as object),
    truncation_side: 'left',
    ...(extra !== undefined && { extra_special_tokens: withoutTokenFlags(extra) }),
    name_or_path: model,
    is_local: folder === model,
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
