// Loads the tokenizers of models from disk, and caches the tables made of them.
export { defaultTokenizerName, loadTokenizer, readTokenizerConfig } from './load-tokenizer.ts';
