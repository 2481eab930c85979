// Finds and loads the tokenizers of models, caches the tables made of them, and tokenizes in a thread of its own.
export { findTokenizer, type TokenizerSearch } from './find-tokenizer.ts';
export {
  defaultTokenizerName,
  findTokenizerFolder,
  loadTokenizer,
  readTokenizerConfig,
  tokenizerFolder,
} from './load-tokenizer.ts';
export { hubModel, huggingFaceFolder } from './model-files.ts';
export { tokenizerOf } from './shared-definition.ts';
export type { SharedDefinition } from './thread-messages.ts';
export { type NotInTime, TokenizerThread } from './tokenizer-thread.ts';
