// Model files on disk: tokenizers.
export { defaultTokenizerName, loadTokenizer } from './load-tokenizer.ts';
