// The request that continues a stream on another engine: the same one, with the tokens of the prompt and of the
// response so far as its prompt.
import { skimJsonObject } from '../protocol/index.ts';
import { joined } from './event-framing.ts';
import type { StreamKind } from './stream-event.ts';
import type { TokenList } from './token-list.ts';

/** A request for the engine that continues. */
export interface Continued {
  readonly body: Uint8Array;
  /** Tokens of the original prompt; 0 if the client has seen nothing, so that the request starts afresh. */
  readonly promptTokens: number;
  /** Tokens of the response that the new prompt contains. */
  readonly sentTokens: number;
}

/** Why a request cannot be continued exactly. */
export type ContinuationRefusal =
  | 'large'
  | 'choices'
  | 'logprobs'
  | 'echo'
  | 'penalties'
  | 'badWords'
  | 'constrained'
  | 'stop'
  | 'kvTransfer'
  | 'budget'
  | 'length';

export interface Transcript {
  readonly kind: StreamKind;
  /** Ids of the prompt as JSON writes them, without brackets. */
  readonly promptIds: string;
  readonly promptTokens: number;
  readonly tokens: TokenList;
}

/** Larger requests are not read a second time; they would block the router for milliseconds. */
const bodyBytesMax = 1024 * 1024;
/** vLLM's default of `max_tokens` for completions; a chat has none. */
const completionTokensDefault = 16;

/** What makes a request impossible to continue, by field: the field's value if it is set, and not null. */
const refusals: Readonly<Record<string, (value: unknown) => ContinuationRefusal | undefined>> = {
  n: (value) => (value === 1 ? undefined : 'choices'),
  best_of: (value) => (value === 1 ? undefined : 'choices'),
  use_beam_search: (value) => (value === false ? undefined : 'choices'),
  logprobs: (value) => (value === false ? undefined : 'logprobs'),
  prompt_logprobs: () => 'logprobs',
  logprob_token_ids: () => 'logprobs',
  echo: (value) => (value === false ? undefined : 'echo'),
  suffix: () => 'echo',
  // These count the tokens of the response only, which begins anew; repetition_penalty counts the prompt too.
  presence_penalty: (value) => (value === 0 ? undefined : 'penalties'),
  frequency_penalty: (value) => (value === 0 ? undefined : 'penalties'),
  repetition_detection: () => 'penalties',
  // Words of several tokens may span the join.
  bad_words: (value) => (isEmptyList(value) ? undefined : 'badWords'),
  // A grammar starts again with each request.
  response_format: (value) => (isFreeFormat(value) ? undefined : 'constrained'),
  structured_outputs: () => 'constrained',
  guided_json: () => 'constrained',
  guided_regex: () => 'constrained',
  guided_choice: () => 'constrained',
  guided_grammar: () => 'constrained',
  structural_tag: () => 'constrained',
  tool_choice: (value) => (value === 'auto' || value === 'none' ? undefined : 'constrained'),
  // Engines hold back text that may begin a stop string, except for those of one character; the client does not have it.
  stop: (value) => ([value].flat().every(isOneCharacter) ? undefined : 'stop'),
  kv_transfer_params: () => 'kvTransfer',
  thinking_token_budget: () => 'budget',
};
const refusingFields = Object.keys(refusals);
const lengthFields = ['max_tokens', 'max_completion_tokens', 'min_tokens'] as const;
const fields: readonly string[] = [...refusingFields, ...lengthFields, 'prompt', 'seed'];

export function continuationOf(
  body: Uint8Array,
  transcript: Transcript,
): Continued | ContinuationRefusal {
  if (body.length > bodyBytesMax) return 'large';
  const spans = skimJsonObject(body, fields);
  const value = (field: string) => valueAt(body, spans, field);
  for (const field of refusingFields) {
    const given = value(field);
    const refusal = given === undefined ? undefined : refusals[field]?.(given);
    if (refusal !== undefined) return refusal;
  }
  const { kind, promptIds, promptTokens, tokens } = transcript;
  if (kind === 'completion' && isListOfPrompts(body, spans)) return 'choices';
  const changes: string[] = [];
  for (const field of lengthFields) {
    const given = value(field);
    const asked =
      given ??
      (field === 'max_tokens' && kind === 'completion' ? completionTokensDefault : undefined);
    if (typeof asked !== 'number') continue;
    const left = asked - tokens.length;
    if (left < 1 && field !== 'min_tokens') return 'length';
    changes.push(`"${field}":${Math.max(0, left)}`);
  }
  const seed = textAt(body, spans, 'seed');
  if (seed !== undefined && /^-?\d{1,19}$/.test(seed)) {
    changes.push(`"seed":${laterSeed(BigInt(seed), tokens.length)}`);
  }
  const ids = `[${promptIds},${tokens}]`;
  changes.push(
    kind === 'completion' ? `"prompt":${ids}` : `"kv_transfer_params":{"prompt_token_ids":${ids}}`,
    // The prompt has been truncated already.
    '"truncate_prompt_tokens":null',
  );
  return { body: withFields(body, changes), promptTokens, sentTokens: tokens.length };
}

/** How a request begins that asks the engine for the ids of its tokens. */
export const askingStart = '{"return_token_ids":true,';

/**
 * Where a request goes on after `askingStart`: two parts, so that a long body need not be copied.
 *
 * @param body One JSON object with at least one field.
 */
export function restAfterStart(body: Uint8Array): number {
  return body.indexOf(0x7b) + 1;
}

/** The whole request that asks for ids. */
export function withTokenIds(body: Uint8Array): Uint8Array {
  return joined([encoder.encode(askingStart), body.subarray(restAfterStart(body))]);
}

const encoder = new TextEncoder();
const decoder = new TextDecoder();

/**
 * With the same seed, vLLM would draw the same noise as for the first tokens, and often the same tokens. Embedded
 * engines count from the seed too, so that their continuation is exact.
 */
function laterSeed(seed: bigint, tokens: number): bigint {
  const later = seed + BigInt(tokens);
  return later > seedMax ? seed - BigInt(tokens) : later;
}

/** PyTorch's seeds have 64 bits with a sign. */
const seedMax = 2n ** 63n - 1n;

/** Whether the client wants the counts of tokens after the stream. */
export function includesUsage(body: Uint8Array): boolean {
  const [start = -1, end = -1] = skimJsonObject(body, ['stream_options']);
  if (start < 0) return false;
  const options: unknown = JSON.parse(decoder.decode(body.subarray(start, end)));
  return (options as { readonly include_usage?: unknown } | null)?.include_usage === true;
}

/** Appends fields: the last occurrence of a field counts, for Python as for JavaScript. */
function withFields(body: Uint8Array, changes: readonly string[]): Uint8Array {
  const close = body.lastIndexOf(0x7d);
  const added = encoder.encode(`,${changes.join(',')}}`);
  const changed = new Uint8Array(close + added.length);
  changed.set(body.subarray(0, close));
  changed.set(added, close);
  return changed;
}

/** The value of a field; undefined if it is absent or null. */
function valueAt(body: Uint8Array, spans: Int32Array, field: string): unknown {
  const text = textAt(body, spans, field);
  if (text === undefined) return undefined;
  // A value that the engine accepted is valid JSON; Python also writes NaN.
  try {
    return JSON.parse(text) ?? undefined;
  } catch {
    return text;
  }
}

function textAt(body: Uint8Array, spans: Int32Array, field: string): string | undefined {
  const index = fields.indexOf(field);
  const start = spans[2 * index] as number;
  return start < 0 ? undefined : decoder.decode(body.subarray(start, spans[2 * index + 1]));
}

/** Whether there may be several prompts, each with choices of its own. */
function isListOfPrompts(body: Uint8Array, spans: Int32Array): boolean {
  const start = spans[2 * fields.indexOf('prompt')] as number;
  if (start < 0 || body[start] !== 0x5b) return false;
  let at = start + 1;
  while ([0x20, 0x09, 0x0a, 0x0d].includes(body[at] as number)) at++;
  const first = body[at] as number;
  return first < 0x30 || first > 0x39;
}

function isEmptyList(value: unknown): boolean {
  return Array.isArray(value) && value.length === 0;
}

/** Whether it is a string of at most one code point. */
function isOneCharacter(value: unknown): boolean {
  return typeof value === 'string' && [...value].length <= 1;
}

function isFreeFormat(value: unknown): boolean {
  return typeof value === 'object' && value !== null && 'type' in value && value.type === 'text';
}
