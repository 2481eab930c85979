// Model files on disk: tokenizers.

export { readGpuSpec } from './gpu-spec.ts';
export { defaultTokenizerName, loadTokenizer, readTokenizerConfig } from './load-tokenizer.ts';
export { readModelSpec } from './model-spec.ts';
