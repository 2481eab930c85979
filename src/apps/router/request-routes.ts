// Which paths go to engines, and how a path's request names its model.

/**
 * - `json`: a JSON object with a required model.
 * - `json-any`: a JSON object; without a model any engine will do.
 * - `form`: multipart form data with a field `model`.
 */
export type BodyKind = 'json' | 'json-any' | 'form';

/**
 * Paths passed on, with POST. An allow-list: engines also have routes that put them to sleep, load
 * adapters or drop caches, which vLLM leaves open even with an API key.
 */
const bodyKinds: ReadonlyMap<string, BodyKind> = new Map([
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

/** The kind of body that a path's requests have; undefined if the path is not passed on. */
export function bodyKindOf(path: string): BodyKind | undefined {
  return bodyKinds.get(path);
}

const modelField = Buffer.from('name="model"');
const emptyLine = Buffer.from('\r\n\r\n');
const lineEnd = Buffer.from('\r\n');
/** Longest model name looked for in a form. */
const modelBytesMax = 1024;

/** The field `model` of multipart form data; undefined if there is none. */
export function modelOfForm(body: Buffer): string | undefined {
  const field = body.indexOf(modelField);
  if (field < 0) return undefined;
  const start = body.indexOf(emptyLine, field);
  if (start < 0 || start - field > modelBytesMax) return undefined;
  const end = body.indexOf(lineEnd, start + 4);
  if (end < 0 || end - start > modelBytesMax) return undefined;
  const model = body.toString('utf8', start + 4, end).trim();
  return model === '' ? undefined : model;
}
