// Attributes of requests to language models, by the names of OpenTelemetry's semantic conventions: those of today, and
// those that vLLM and dashboards of earlier versions use.
import type { Attributes } from './span.ts';

/** A request to a model, as far as it is known. */
export interface GenAiRequest {
  /** `chat`, `text_completion` or `embeddings`; undefined for others. */
  readonly operation: GenAiOperation | undefined;
  readonly model: string | undefined;
  /** `max_tokens`. */
  readonly outputTokensMax?: number | undefined;
  readonly temperature?: number | undefined;
  readonly topP?: number | undefined;
  /** Model that the response names. */
  readonly responseModel?: string | undefined;
  readonly inputTokens?: number | undefined;
  readonly outputTokens?: number | undefined;
  /** The part of the input that was found in the prefix cache. */
  readonly cachedTokens?: number | undefined;
  readonly finishReasons?: readonly string[] | undefined;
  readonly firstTokenSeconds?: number | undefined;
}

export type GenAiOperation = 'chat' | 'text_completion' | 'embeddings';

/** Engines speak vLLM's API; the conventions leave names of other providers free. */
const provider = 'vllm';

/**
 * @see https://opentelemetry.io/docs/specs/semconv/gen-ai/gen-ai-spans/ for the names of today
 * @see https://github.com/vllm-project/vllm, `SpanAttributes`, for `prompt_tokens`, `completion_tokens` and the latency
 */
export function genAiAttributes(request: GenAiRequest): Attributes {
  return { ...operationAttributes(request.operation), ...requestAttributes(request) };
}

/** The part of `genAiAttributes` that all requests of an operation have. */
export function operationAttributes(operation: GenAiOperation | undefined): Attributes {
  return {
    'gen_ai.operation.name': operation,
    'gen_ai.provider.name': provider,
    'gen_ai.system': provider,
  };
}

/** The other part of `genAiAttributes`: what one request asked for and got. */
export function requestAttributes(request: Omit<GenAiRequest, 'operation'>): Attributes {
  const { inputTokens, outputTokens, firstTokenSeconds } = request;
  return {
    'gen_ai.request.model': request.model,
    'gen_ai.request.max_tokens': request.outputTokensMax,
    'gen_ai.request.temperature': request.temperature,
    'gen_ai.request.top_p': request.topP,
    'gen_ai.response.model': request.responseModel,
    'gen_ai.response.finish_reasons': request.finishReasons,
    'gen_ai.response.time_to_first_chunk': firstTokenSeconds,
    'gen_ai.latency.time_to_first_token': firstTokenSeconds,
    'gen_ai.usage.input_tokens': inputTokens,
    'gen_ai.usage.prompt_tokens': inputTokens,
    'gen_ai.usage.cache_read.input_tokens': request.cachedTokens,
    'gen_ai.usage.output_tokens': outputTokens,
    'gen_ai.usage.completion_tokens': outputTokens,
  };
}

/** The operation of a path of the API; undefined if the conventions have no name for it. */
export function genAiOperation(path: string): GenAiOperation | undefined {
  if (path.endsWith('/chat/completions')) return 'chat';
  if (path.endsWith('/v1/messages') || path.endsWith('/v1/responses')) return 'chat';
  if (path.endsWith('/completions')) return 'text_completion';
  return path.endsWith('/embeddings') ? 'embeddings' : undefined;
}
