// The objects of the Responses API, with all fields that vLLM writes.

import type { ChatRequest, ResponsesRequest } from '../../../core/api/index.ts';
import { withoutUndefined } from '../../../core/base/index.ts';
import { wholeMetrics } from '../generation/request-metrics.ts';
import { reasoningTokens, usageOf } from '../generation/response-writer.ts';
import type { EmbeddedEngine } from '../runtime/embedded-engine.ts';
import type { GeneratedSequence } from '../sequences/generated-sequence.ts';
import type { ResponseOutput } from './response-output.ts';

/** Common input of both forms of a response. */
export interface ResponseFacts {
  readonly id: string;
  readonly engine: EmbeddedEngine;
  /** The request as the client sent it, for the echoed fields. */
  readonly given: ResponsesRequest;
  /** The resulting chat request. */
  readonly request: ChatRequest;
  readonly promptTokens: number;
  readonly maxTokens: number;
  readonly thinks: boolean;
  readonly createdSeconds: number;
}

export interface ResponseHead extends ResponseFacts {
  readonly output: ResponseOutput;
}

export type ResponseStatus = 'queued' | 'in_progress' | 'completed' | 'incomplete' | 'cancelled';

/** @param sequences Undefined while the response is in progress: there is no usage yet. */
export function responseObject(
  head: ResponseFacts,
  status: ResponseStatus,
  output: readonly object[],
  sequences?: readonly GeneratedSequence[],
): object {
  const { id, engine, given } = head;
  const defaults = engine.options.samplingDefaults ?? {};
  const metrics = sequences && wholeMetrics(engine, sequences);
  return {
    id,
    created_at: head.createdSeconds,
    incomplete_details: status === 'incomplete' ? { reason: 'max_output_tokens' } : null,
    instructions: given.instructions ?? null,
    metadata: given.metadata ?? null,
    model: engine.responseModelName(given.model),
    object: 'response',
    output,
    parallel_tool_calls: given.parallel_tool_calls ?? true,
    temperature: given.temperature ?? defaults.temperature ?? 1,
    tool_choice: given.tool_choice ?? 'auto',
    tools: given.tools ?? [],
    top_p: isGreedy(given) ? 1 : (given.top_p ?? defaults.top_p ?? 1),
    background: given.background ?? false,
    max_output_tokens: head.maxTokens,
    max_tool_calls: given.max_tool_calls ?? null,
    previous_response_id: given.previous_response_id ?? null,
    prompt: null,
    reasoning: given.reasoning ? { ...unsetReasoning, ...withoutUndefined(given.reasoning) } : null,
    service_tier: given.service_tier ?? 'auto',
    status,
    text: textConfig(given),
    top_logprobs: head.request.logprobs ? (given.top_logprobs ?? 0) : null,
    truncation: given.truncation ?? 'disabled',
    usage: sequences ? responseUsage(head, sequences) : null,
    user: given.user ?? null,
    ...(metrics && { metrics }),
    presence_penalty: given.presence_penalty ?? 0,
    frequency_penalty: given.frequency_penalty ?? 0,
    kv_transfer_params: null,
    ec_transfer_params: null,
    input_messages: rawMessages(head, sequences, ({ prompt }) => prompt),
    output_messages: rawMessages(head, sequences, ({ output: tokens }) => tokens),
  };
}

/** The input and output of the model, for requests that ask for them. */
function rawMessages(
  { engine, given }: ResponseFacts,
  sequences: readonly GeneratedSequence[] | undefined,
  tokensOf: (sequence: GeneratedSequence) => readonly number[],
): object[] | null {
  const sequence = sequences?.[0];
  if (given.enable_response_messages !== true || sequence === undefined) return null;
  const tokens = tokensOf(sequence);
  return [{ message: engine.tokenizer.decode(tokens), tokens, type: 'raw_message_tokens' }];
}

const unsetReasoning = {
  context: null,
  effort: null,
  generate_summary: null,
  mode: null,
  summary: null,
};

function isGreedy({ temperature }: ResponsesRequest): boolean {
  return temperature != null && temperature < 1e-5;
}

function textConfig({ text }: ResponsesRequest): object | null {
  if (text == null) return null;
  const format = text.format?.['type'] === 'json_schema' ? { description: null, strict: null } : {};
  return {
    format: text.format ? { ...format, ...text.format } : null,
    verbosity: text.verbosity ?? null,
  };
}

function responseUsage(head: ResponseFacts, sequences: readonly GeneratedSequence[]): object {
  const sequence = sequences[0] as GeneratedSequence;
  const { blockSize } = head.engine.options.config;
  const { cachedTokens, promptTokens } = sequence;
  const { completionTokens } = usageOf(head, sequences);
  const inBlocks = Math.floor(promptTokens / blockSize) * blockSize;
  return {
    input_tokens: promptTokens,
    input_tokens_details: {
      cached_tokens: cachedTokens,
      cache_write_tokens: Math.max(0, inBlocks - cachedTokens),
      input_tokens_per_turn: [],
      cached_tokens_per_turn: [],
    },
    output_tokens: completionTokens,
    output_tokens_details: {
      reasoning_tokens: reasoningTokens(head, sequences) ?? 0,
      tool_output_tokens: 0,
      output_tokens_per_turn: [],
      tool_output_tokens_per_turn: [],
    },
    total_tokens: promptTokens + completionTokens,
  };
}

export function textPart(text: string, logprobs: readonly object[] | null): object {
  return { annotations: [], text, type: 'output_text', logprobs };
}

export function messageItem(id: string, status: string, content: readonly object[]): object {
  return { id, content, role: 'assistant', status, type: 'message', phase: null };
}

/** @param content Undefined before any text. */
export function reasoningItem(id: string, status: string | null, text?: string): object {
  const content = text === undefined ? null : [{ text, type: 'reasoning_text' }];
  return { id, summary: [], type: 'reasoning', content, encrypted_content: null, status };
}

export function functionCallItem(call: {
  readonly id: string;
  readonly callId: string;
  readonly name: string;
  readonly argumentsJson: string;
  readonly status: string;
}): object {
  return {
    arguments: call.argumentsJson,
    call_id: call.callId,
    name: call.name,
    type: 'function_call',
    id: call.id,
    async: null,
    caller: null,
    namespace: null,
    status: call.status,
  };
}
