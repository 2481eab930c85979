// The request that continues a stream on another engine: the same one, with the tokens of the prompt and of the
// response so far as its prompt.
import { skimJsonObject, withMembers } from '../protocol/index.ts';
import { joined } from './event-framing.ts';
import type { TokenStreamKind } from './stream-event.ts';
import type { TokenList } from './token-list.ts';

/** A request for the engine that continues. */
export interface Continued {
  readonly body: Uint8Array;
  /** Tokens of the response that the new prompt contains. */
  readonly sentTokens: number;
  /** Whether the engine repeats what the client has, or a part of it. */
  readonly repeats: boolean;
}

/** Why a request cannot be repeated either. */
type RepetitionRefusal = 'large' | 'choices' | 'echo' | 'kvTransfer';

/** Why a request cannot be continued exactly. */
export type ContinuationRefusal =
  | RepetitionRefusal
  | 'logprobs'
  | 'penalties'
  | 'badWords'
  | 'constrained'
  | 'stop'
  | 'length'
  | 'sampled'
  | 'background';

/** What is known of a response. */
export interface KnownResponse {
  readonly kind: TokenStreamKind;
  /** Ids of the prompt as JSON writes them, without brackets. */
  readonly promptIds: string;
  readonly promptTokens: number;
  readonly tokens: TokenList;
  /** Tokens of the response that the new prompt gets. */
  readonly sentTokens: number;
  /** Whether all of these are the model's reasoning. */
  readonly isReasoning: boolean;
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
  // It counts the tokens of the response only, once each; a bias would count one twice that is written again.
  presence_penalty: (value) => (value === 0 ? undefined : 'penalties'),
  repetition_detection: () => 'penalties',
  // Words of several tokens may span the join.
  bad_words: (value) => (isEmptyList(value) ? undefined : 'badWords'),
  // A grammar starts again with each request; it applies to what follows the reasoning.
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
};
const refusingFields = Object.keys(refusals);
const unrepeatable: ReadonlySet<ContinuationRefusal> = new Set<RepetitionRefusal>([
  ...(['large', 'choices', 'echo', 'kvTransfer'] as const),
]);
const lengthFields = ['max_tokens', 'max_completion_tokens', 'min_tokens'] as const;
const repeatingFields = ['temperature', 'top_k', 'seed'] as const;
const penaltyFields = ['frequency_penalty', 'repetition_penalty', 'logit_bias'] as const;
const fields: readonly string[] = [
  ...refusingFields,
  ...lengthFields,
  ...repeatingFields,
  ...penaltyFields,
  'prompt',
];

/** The request for the rest of a response, or, if that would not be exact, for all of it, where it can be repeated. */
export function continuationOf(
  body: Uint8Array,
  known: KnownResponse,
): Continued | ContinuationRefusal {
  if (body.length > bodyBytesMax) return 'large';
  const given = new GivenFields(body, fields);
  const { kind, promptIds, tokens, sentTokens } = known;
  const refusal = refusalOf(given, known.isReasoning);
  if (refusal !== undefined) return repeatedIf(body, given, refusal);
  if (kind === 'completion' && isListOfPrompts(given)) return 'choices';
  const changes: Record<string, string> = {};
  for (const field of lengthFields) {
    const asked =
      given.value(field) ??
      (field === 'max_tokens' && kind === 'completion' ? completionTokensDefault : undefined);
    if (typeof asked !== 'number') continue;
    const left = asked - sentTokens;
    if (left < 1 && field !== 'min_tokens') return 'length';
    changes[field] = String(Math.max(0, left));
  }
  const seed = given.text('seed');
  if (seed !== undefined && /^-?\d{1,19}$/.test(seed)) {
    changes['seed'] = String(laterSeed(BigInt(seed), sentTokens));
  }
  const frequency = given.value('frequency_penalty') ?? 0;
  if (frequency !== 0) {
    const bias = biasOf(given, tokens.counts(sentTokens), frequency);
    if (bias === undefined) return repeatedIf(body, given, 'penalties');
    changes['logit_bias'] = bias;
  }
  const ids = `[${promptIds},${tokens.first(sentTokens)}]`;
  if (kind === 'completion') changes['prompt'] = ids;
  else changes['kv_transfer_params'] = `{"prompt_token_ids":${ids}}`;
  // The prompt has been truncated already.
  changes['truncate_prompt_tokens'] = 'null';
  return { body: withMembers(body, changes), sentTokens, repeats: false };
}

/** The request for all of a response, which the engine repeats: a sampled one may become another one. */
export function repeatedRequest(body: Uint8Array): Continued | ContinuationRefusal {
  if (body.length > bodyBytesMax) return 'large';
  const refusal = refusalOf(new GivenFields(body, refusingFields), false);
  if (refusal !== undefined && unrepeatable.has(refusal)) return refusal;
  return { body, sentTokens: 0, repeats: true };
}

/** @returns The reason that a repetition does not avoid, if there is one; otherwise the first one. */
function refusalOf(given: GivenFields, isReasoning: boolean): ContinuationRefusal | undefined {
  let found: ContinuationRefusal | undefined;
  for (const field of refusingFields) {
    const value = given.value(field);
    const refusal = value === undefined ? undefined : refusals[field]?.(value);
    if (refusal === undefined || (refusal === 'constrained' && isReasoning)) continue;
    if (unrepeatable.has(refusal)) return refusal;
    found ??= refusal;
  }
  return found;
}

/** The whole request again, if engines write the same response to it; otherwise the reason. */
function repeatedIf(
  body: Uint8Array,
  given: GivenFields,
  refusal: ContinuationRefusal,
): Continued | ContinuationRefusal {
  const isRepeatable =
    given.value('temperature') === 0 ||
    given.value('top_k') === 1 ||
    typeof given.value('seed') === 'number';
  if (!isRepeatable || unrepeatable.has(refusal)) return refusal;
  return { body, sentTokens: 0, repeats: true };
}

/** Maximum number of tokens with a bias; engines add each one to every step. */
const biasedTokensMax = 4096;
/** vLLM limits the bias of a token to this value. */
const biasMax = 100;

/**
 * The penalty of the tokens sent, as a bias: both are added to the logits. An explicit `repetition_penalty` scales the
 * one and not the other.
 *
 * @returns JSON; undefined if the bias cannot stand for the penalty.
 */
function biasOf(
  given: GivenFields,
  counts: ReadonlyMap<number, number>,
  penalty: unknown,
): string | undefined {
  const own = given.value('logit_bias') ?? {};
  const repetition = given.value('repetition_penalty') ?? 1;
  if (typeof penalty !== 'number' || typeof own !== 'object' || repetition !== 1) return undefined;
  const bias: Record<string, unknown> = { ...own };
  for (const [id, count] of counts) {
    const value = Number(bias[id] ?? 0) - penalty * count;
    if (!(Math.abs(value) <= biasMax)) return undefined;
    bias[id] = value;
  }
  return Object.keys(bias).length > biasedTokensMax ? undefined : JSON.stringify(bias);
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

/** Top-level fields of a body. */
export class GivenFields {
  readonly #body: Uint8Array;
  readonly #names: readonly string[];
  readonly #spans: Int32Array;

  constructor(body: Uint8Array, names: readonly string[]) {
    this.#body = body;
    this.#names = names;
    this.#spans = skimJsonObject(body, names);
  }

  /** Undefined if the field is absent or null. */
  value(field: string): unknown {
    const text = this.text(field);
    if (text === undefined) return undefined;
    // A value that the engine accepted is valid JSON; Python also writes NaN.
    try {
      return JSON.parse(text) ?? undefined;
    } catch {
      return text;
    }
  }

  /** The JSON of a field. */
  text(field: string): string | undefined {
    const index = this.#names.indexOf(field);
    const start = this.#spans[2 * index] as number;
    if (start < 0) return undefined;
    return decoder.decode(this.#body.subarray(start, this.#spans[2 * index + 1]));
  }
}

/** Whether there may be several prompts, each with choices of its own. */
function isListOfPrompts(given: GivenFields): boolean {
  const prompt = given.text('prompt');
  return prompt !== undefined && /^\[\s*[^\s\d]/.test(prompt);
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
