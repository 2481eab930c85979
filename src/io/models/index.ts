// Models and GPUs by name or file, and model files on disk: tokenizers.

export { loadCatalogue } from './catalogue.ts';
export { readGpuSpec } from './gpu-spec.ts';
export { defaultTokenizerName, loadTokenizer, readTokenizerConfig } from './load-tokenizer.ts';
export { readModelSpec } from './model-spec.ts';
