// Model files on disk: tokenizers.
export { defaultTokenizerName, loadTokenizer, readTokenizerConfig } from './load-tokenizer.ts';
export { readModelSpec } from './model-spec.ts';
