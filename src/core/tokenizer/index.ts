// Byte-pair encoding and chat templates of a model.
export type { ChatTemplateOptions, TemplateMessage } from './chat-template.ts';
export type { TokenizerDefinition } from './definition.ts';
export type { IncrementalDecoder } from './incremental-decoder.ts';
export { PieceCache } from './piece-cache.ts';
export { decodeTables, encodeTables, tablesFormat } from './tables-codec.ts';
export { type TokenTables, tokenTables } from './token-tables.ts';
export { promptWindow, readTokens } from './token-window.ts';
export { Tokenizer } from './tokenizer.ts';
export type { TokenizerConfigJson, TokenizerJson } from './tokenizer-json.ts';
