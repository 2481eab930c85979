// What a tokenizer is made from: its files, or tables made from them earlier.
import type { TokenTables } from './token-tables.ts';
import type { TokenizerConfigJson, TokenizerJson } from './tokenizer-json.ts';

export interface TokenizerDefinition {
  /** Parsed tokenizer.json, or tables made from it earlier. */
  readonly tokenizer: TokenizerJson | TokenTables;
  /** Parsed tokenizer_config.json. */
  readonly config?: TokenizerConfigJson;
  /** Text of chat_template.jinja, which newer models have in addition; it takes precedence. */
  readonly chatTemplate?: string;
}
