// Tokenizers of models: files on disk, and the tables made of them kept for the next start.
export { defaultTokenizerName, loadTokenizer, readTokenizerConfig } from './load-tokenizer.ts';
