// The body of POST /generative_scoring.
import { checkCacheSalt } from '../openai/raw-checks.ts';
import {
  boolean,
  integer,
  integer64,
  list,
  notNull,
  type Read,
  readBody,
  string,
  union,
} from '../openai/schema.ts';

const tokenList = list(notNull(integer()));

const fields = {
  model: string,
  query: notNull(union(string, tokenList)),
  items: notNull(union(list(notNull(string)), list(notNull(tokenList)))),
  label_token_ids: notNull(tokenList),
  apply_softmax: notNull(boolean),
  item_first: notNull(boolean),
  add_special_tokens: notNull(boolean),
  cache_salt: string,
  priority: notNull(integer64),
  request_id: notNull(string),
} as const;

/** @throws {ApiError} 400, as Pydantic in vLLM reports it. */
export function readScoringRequest(body: unknown): Read<typeof fields> {
  checkCacheSalt(body);
  return readBody(body, fields, ['query', 'items', 'label_token_ids']);
}
