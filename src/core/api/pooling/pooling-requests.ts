// The bodies of /v1/embeddings, /pooling, /classify, /score and /rerank: requests to models that return vectors or scores.
import type { ChatMessage } from '../openai/chat-message.ts';
import { messageField } from '../openai/chat-message.ts';
import { checkCacheSalt } from '../openai/raw-checks.ts';
import {
  boolean,
  integer,
  integer64,
  list,
  literal,
  notNull,
  type Read,
  readBody,
  strictInteger,
  string,
  union,
} from '../openai/schema.ts';

const common = {
  model: string,
  user: string,
  truncate_prompt_tokens: integer(-1),
  truncation_side: literal('left', 'right'),
  request_id: notNull(string),
  priority: notNull(integer64),
  cache_salt: string,
  use_activation: boolean,
} as const;

const tokenList = list(notNull(strictInteger));
const texts = list(notNull(string));

const embeddingFields = {
  ...common,
  input: notNull(union(tokenList, list(notNull(tokenList)), string, texts)),
  messages: notNull(list(messageField)),
  add_special_tokens: notNull(boolean),
  add_generation_prompt: notNull(boolean),
  continue_final_message: notNull(boolean),
  encoding_format: notNull(literal('float', 'base64', 'bytes', 'bytes_only')),
  embed_dtype: notNull(literal('float32', 'float16', 'bfloat16', 'fp8_e4m3', 'fp8_e5m2')),
  endianness: notNull(literal('native', 'big', 'little')),
  dimensions: integer(),
} as const;

export type EmbeddingRequest = Omit<Read<typeof embeddingFields>, 'messages'> & {
  readonly messages?: readonly ChatMessage[];
};

/** @throws {ApiError} 400, as Pydantic in vLLM reports it. */
export function readEmbeddingRequest(body: unknown): EmbeddingRequest {
  checkCacheSalt(body);
  const isChat = typeof body === 'object' && body !== null && 'messages' in body;
  return readBody(body, embeddingFields, [isChat ? 'messages' : 'input']) as EmbeddingRequest;
}

/** How vectors are written in a response. */
export type EncodingRequest = Pick<
  Read<typeof embeddingFields>,
  'encoding_format' | 'embed_dtype' | 'endianness'
>;

const poolingFields = {
  ...embeddingFields,
  task: literal(
    'embed',
    'classify',
    'token_embed',
    'token_classify',
    'embed&token_classify',
    'plugin',
  ),
} as const;

export type PoolingRequest = Omit<Read<typeof poolingFields>, 'messages'> & {
  readonly messages?: readonly ChatMessage[];
};

/** The bodies of /pooling and /classify. @throws {ApiError} 400, as Pydantic in vLLM reports it. */
export function readPoolingRequest(body: unknown): PoolingRequest {
  checkCacheSalt(body);
  const isChat = typeof body === 'object' && body !== null && 'messages' in body;
  return readBody(body, poolingFields, [isChat ? 'messages' : 'input']) as PoolingRequest;
}

const input = notNull(union(string, texts));

/** The names under which vLLM accepts the two sides, in its order. */
const sides = [
  ['queries', 'documents'],
  ['queries', 'items'],
  ['data_1', 'data_2'],
  ['text_1', 'text_2'],
] as const;

const scoreFields = {
  ...common,
  ...{ queries: input, documents: input, items: input },
  ...{ data_1: input, data_2: input, text_1: input, text_2: input },
} as const;

export type PairSettings = Read<typeof common>;

export interface ScoreRequest extends PairSettings {
  readonly first: readonly string[];
  readonly second: readonly string[];
}

/** @throws {ApiError} 400, as Pydantic in vLLM reports it. */
export function readScoreRequest(body: unknown): ScoreRequest {
  checkCacheSalt(body);
  const given = Object(body) as Readonly<Record<string, unknown>>;
  const names =
    sides.find((pair) => pair.every((name) => given[name] !== undefined)) ??
    sides.find((pair) => pair.some((name) => given[name] !== undefined)) ??
    sides[0];
  const read = readBody(body, scoreFields, names);
  return { ...read, first: listOf(read[names[0]]), second: listOf(read[names[1]]) };
}

const rerankFields = {
  ...common,
  query: notNull(string),
  documents: input,
  top_n: notNull(integer()),
} as const;

export interface RerankRequest extends PairSettings {
  readonly query: string;
  readonly documents: readonly string[];
  /** All, if it is not above 0. */
  readonly topCount: number;
}

/** @throws {ApiError} 400, as Pydantic in vLLM reports it. */
export function readRerankRequest(body: unknown): RerankRequest {
  checkCacheSalt(body);
  const {
    query,
    documents,
    top_n: topCount,
    ...rest
  } = readBody(body, rerankFields, ['query', 'documents']);
  return { ...rest, query: query ?? '', documents: listOf(documents), topCount: topCount ?? 0 };
}

function listOf(given: string | readonly string[] | null | undefined): readonly string[] {
  return typeof given === 'string' ? [given] : (given ?? []);
}
