// Writes vLLM's SamplingParams as its render routes return them.
import { type ChatRequest, type SamplingRead, stopStrings } from '../../../../core/api/index.ts';
import type { SamplingDefaults } from '../../options.ts';

/** vLLM's RequestOutputKind. */
const outputKind = { delta: 1, finalOnly: 2 } as const;

/** Temperatures below this are greedy, which resets the filters. */
const greedyBelow = 1e-5;

/** Fields that are written only if the request changes them, with their defaults. */
const quietFields = {
  n: 1,
  seed: null,
  min_tokens: 0,
  ignore_eos: false,
  skip_special_tokens: true,
  spaces_between_special_tokens: true,
  include_stop_str_in_output: false,
  prompt_logprobs: null,
  allowed_token_ids: null,
  stream_interval: null,
  watermarking: null,
  thinking_token_budget: null,
  repetition_detection: null,
  routed_experts_prompt_start: 0,
} as const;

/** A field that equals its default is omitted. */
const maxTokensDefault = 16;

/** @param options `logprobs`: as the engine counts them; `extraArgs`: set for /v1/responses. */
export function samplingParams(
  request: SamplingRead,
  defaults: SamplingDefaults,
  options: {
    readonly maxTokens: number;
    readonly isStream: boolean;
    readonly logprobs?: number | null | undefined;
    readonly extraArgs?: object | undefined;
    readonly structuredOutputs?: object | undefined;
  },
): Record<string, unknown> {
  const given = request as Readonly<Record<string, unknown>>;
  const temperature = request.temperature ?? defaults.temperature ?? 1;
  const isGreedy = temperature < greedyBelow;
  const topK = isGreedy ? 0 : (request.top_k ?? defaults.top_k ?? 0);
  const stops = stopStrings(request.stop);
  const held = request.include_stop_str_in_output ? 0 : Math.max(0, ...stops.map(lengthLessOne));
  const extra = options.extraArgs ?? extraArgs(request);
  const changed = Object.entries(quietFields).filter(
    ([name, usual]) => (given[name] ?? usual) !== usual,
  );
  return {
    presence_penalty: request.presence_penalty ?? 0,
    frequency_penalty: request.frequency_penalty ?? 0,
    repetition_penalty: request.repetition_penalty ?? defaults.repetition_penalty ?? 1,
    temperature,
    ...(!isGreedy && { top_p: request.top_p ?? defaults.top_p ?? 1 }),
    ...(topK !== 0 && { top_k: topK }),
    ...(!isGreedy && { min_p: request.min_p ?? defaults.min_p ?? 0 }),
    stop: stops,
    stop_token_ids: request.stop_token_ids ?? [],
    ...(options.maxTokens !== maxTokensDefault && { max_tokens: options.maxTokens }),
    ...logprobsOf(given['logprob_token_ids'], options.logprobs),
    ...Object.fromEntries(changed.map(([name]) => [name, given[name]])),
    ...(request.logit_bias && { logit_bias: biasById(request.logit_bias) }),
    output_kind: options.isStream ? outputKind.delta : outputKind.finalOnly,
    skip_clone: true,
    ...(held > 0 && { output_text_buffer_length: held }),
    ...(options.structuredOutputs && { structured_outputs: options.structuredOutputs }),
    ...(extra && { extra_args: extra }),
    bad_words: request.bad_words ?? [],
    skip_reading_prefix_cache: request.prompt_logprobs != null,
  };
}

/**
 * Returns vLLM's own arguments, and those of its KV and encoder connectors; undefined if there are
 * none.
 */
export function extraArgs(
  request: Pick<SamplingRead, 'vllm_xargs' | 'kv_transfer_params' | 'ec_transfer_params'>,
): object | undefined {
  const { vllm_xargs: own, kv_transfer_params: kv, ec_transfer_params: encoder } = request;
  const extra = {
    ...own,
    ...(isTrue(kv) && { kv_transfer_params: kv }),
    ...(isTrue(encoder) && { ec_transfer_params: encoder }),
  };
  return isTrue(extra) ? extra : undefined;
}

/** Python's truth value of a dictionary: an empty one is false. */
function isTrue(dictionary: object | null | undefined): boolean {
  return dictionary != null && Object.keys(dictionary).length > 0;
}

/** Python accepts white space and underscores in the keys, and writes token ids. */
function biasById(bias: Readonly<Record<string, number>>): object {
  return Object.fromEntries(
    Object.entries(bias).map(([key, value]) => [Number(key.replaceAll('_', '')), value]),
  );
}

/** Chosen tokens replace the most likely ones. */
function logprobsOf(tokens: unknown, top: number | null | undefined): object {
  if (Array.isArray(tokens) && tokens.length > 0) return { logprob_token_ids: tokens };
  return top == null ? {} : { logprobs: top };
}

function lengthLessOne(text: string): number {
  return text.length - 1;
}

/** Writes a constraint as vLLM's StructuredOutputsParams; undefined if there is none. */
export function structuredOutputs(
  request: Pick<ChatRequest, 'response_format' | 'structured_outputs'>,
  structuralTag?: string,
): object | undefined {
  const given = (request.structured_outputs ?? {}) as Readonly<Record<string, unknown>>;
  const format = request.response_format;
  const json = format?.type === 'json_schema' ? format.json_schema?.schema : undefined;
  const object = format?.type === 'json_object' ? true : undefined;
  const tag = structuralTag ?? (format?.type === 'structural_tag' ? JSON.stringify(format) : null);
  const isGiven =
    Object.keys(given).length > 0 || json !== undefined || object !== undefined || tag !== null;
  if (!isGiven) return undefined;
  return {
    json: given['json'] ?? json ?? null,
    regex: given['regex'] ?? null,
    choice: given['choice'] ?? null,
    grammar: given['grammar'] ?? null,
    json_object: given['json_object'] ?? object ?? null,
    disable_any_whitespace: given['disable_any_whitespace'] ?? false,
    disable_additional_properties: given['disable_additional_properties'] ?? false,
    whitespace_pattern: given['whitespace_pattern'] ?? null,
    structural_tag: given['structural_tag'] ?? tag,
    _backend: null,
    _backend_was_auto: false,
  };
}
