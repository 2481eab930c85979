// Which paths are forwarded to engines, and where a request to each path names its model.
import type { StreamKind } from '../../../core/migration/index.ts';
import type { PromptKind } from '../../../core/prompts/index.ts';

/**
 * - `json`: a JSON object with a required model.
 * - `json-any`: a JSON object; without a model, any engine may serve it.
 * - `form`: multipart form data with a field `model`.
 */
export type BodyKind = 'json' | 'json-any' | 'form';

/** Paths whose responses are generated text; only these count in the percentiles of latencies. */
export const generatingPaths: ReadonlySet<string> = new Set([
  '/v1/chat/completions',
  '/v1/chat/completions/batch',
  '/v1/completions',
  '/v1/responses',
  '/v1/messages',
  '/inference/v1/generate',
]);

/** Paths of requests whose prompts fill the KV cache of an engine. */
export const promptKinds: ReadonlyMap<string, PromptKind> = new Map([
  ['/v1/chat/completions', 'chat'],
  ['/v1/completions', 'completions'],
  ['/v1/messages', 'messages'],
  ['/v1/responses', 'responses'],
  ['/inference/v1/generate', 'generate'],
]);

/** Paths whose streams another engine can continue. */
export const movingStreams: ReadonlyMap<string, StreamKind> = new Map([
  ['/v1/chat/completions', 'chat'],
  ['/v1/completions', 'completion'],
  ['/v1/messages', 'messages'],
  ['/v1/responses', 'responses'],
]);

/** Paths whose requests have vLLM's field `cache_salt`. */
export const saltedPaths: ReadonlySet<string> = new Set([
  ...generatingPaths,
  ...['/v1/embeddings', '/pooling', '/classify', '/score', '/v1/score'],
  ...['/rerank', '/v1/rerank', '/v2/rerank', '/generative_scoring'],
]);

/**
 * Paths whose requests may be sent to two engines at once: they generate text, and keep nothing on the engine, unlike
 * `/v1/responses`.
 */
export const hedgedPaths: ReadonlySet<string> = new Set([
  '/v1/chat/completions',
  '/v1/completions',
  '/v1/messages',
  '/inference/v1/generate',
]);

/**
 * Paths that are forwarded, with POST. An allow-list: engines also have routes that put them to sleep, load
 * adapters or drop caches, which vLLM leaves open even with an API key.
 */
export const bodyKinds: ReadonlyMap<string, BodyKind> = new Map([
  ...[
    '/v1/chat/completions',
    '/v1/chat/completions/batch',
    '/v1/chat/completions/render',
    '/v1/completions',
    '/v1/completions/render',
    '/v1/responses',
    '/v1/messages',
    '/v1/messages/count_tokens',
    '/v1/embeddings',
    '/v2/embed',
    '/pooling',
    '/classify',
    '/score',
    '/v1/score',
    '/rerank',
    '/v1/rerank',
    '/v2/rerank',
    '/generative_scoring',
    '/inference/v1/generate',
    '/v1/audio/speech',
    '/v1/images/generations',
  ].map((path) => [path, 'json'] as const),
  ['/tokenize', 'json-any'],
  ['/detokenize', 'json-any'],
  ...['/v1/audio/transcriptions', '/v1/audio/translations', '/v1/images/edits'].map(
    (path) => [path, 'form'] as const,
  ),
]);
