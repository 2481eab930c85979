// The request for the rest of a sampled message or response: its prompt is that of the first engine and the text that
// the client has, both as the router's own tokenizer encodes them.
import { withMembers } from '../protocol/index.ts';
import { type ContinuationRefusal, GivenFields } from './continuation-request.ts';
import type { NamedStreamKind } from './named-event.ts';
import type { OpenText } from './open-text.ts';
import type { TextTokens } from './text-tokens.ts';

/** A request for another engine, and what it is about. */
export interface ContinuedText {
  readonly body: Uint8Array;
  readonly promptTokens: number;
  /** Tokens of the response that the new prompt contains. */
  readonly sentTokens: number;
}

/** `tokenizer`: the router has none for this model. `tokens`: those of the prompt are not known. */
export type TextRefusal = ContinuationRefusal | 'tokenizer' | 'tokens';

/** Characters: encoding more would block the router for longer than 10 ms. */
const textLengthMax = 64 * 1024;
const thinkingStart = '<think>';
const thinkingEnd = '</think>';
/** Tokens of models that mark the beginning of an answer, too; parsers remove the marks. */
const answerMarks = ['<|channel|>', '<|channel>', '<|START_RESPONSE|>'];

const lengthFields = { messages: 'max_tokens', responses: 'max_output_tokens' } as const;
type Refusals = Readonly<Record<string, (value: unknown) => TextRefusal | undefined>>;

/** What makes a request impossible to continue, by field: the field's value if it is set, and not null. */
const refusals: Readonly<Record<NamedStreamKind, Refusals>> = {
  messages: {
    // Engines hold back text that may begin a stop string, except for those of one character.
    stop_sequences: stopRefusal,
    // A grammar starts again with each request.
    output_config: (value) => (fieldOf(value, 'format') == null ? undefined : 'constrained'),
    tool_choice: (value) => (isFree(fieldOf(value, 'type')) ? undefined : 'constrained'),
  },
  responses: {
    stop: stopRefusal,
    text: (value) => {
      const format = fieldOf(value, 'format');
      return format == null || fieldOf(format, 'type') === 'text' ? undefined : 'constrained';
    },
    structured_outputs: () => 'constrained',
    tool_choice: (value) => (isFree(value) ? undefined : 'constrained'),
    // They count the tokens of the response only.
    presence_penalty: (value) => (value === 0 ? undefined : 'penalties'),
    frequency_penalty: (value) => (value === 0 ? undefined : 'penalties'),
    // The client may not get all of the text.
    include_reasoning: (value) => (value === false ? 'tokens' : undefined),
    previous_response_id: () => 'tokens',
    previous_input_messages: () => 'tokens',
    enable_response_messages: (value) => (value === false ? undefined : 'tokens'),
  },
};

/**
 * @param body The request as the engines get it.
 * @param inputTokens Tokens of the prompt, as the first engine counted them; undefined if it did not say.
 */
export function continuedText(
  body: Uint8Array,
  kind: NamedStreamKind,
  open: OpenText,
  tokens: TextTokens,
  inputTokens: number | undefined,
): ContinuedText | TextRefusal {
  if (open.text.length > textLengthMax) return 'large';
  const lengthField = lengthFields[kind];
  const given = new GivenFields(body, [...Object.keys(refusals[kind]), lengthField]);
  for (const [field, refusalOf] of Object.entries(refusals[kind])) {
    const value = given.value(field);
    const refusal = value === undefined ? undefined : refusalOf(value);
    if (refusal !== undefined) return refusal;
  }
  const text = tokens.encode(open.text);
  if (text === undefined || answerMarks.some((mark) => tokens.idOf(mark) !== undefined)) {
    return 'tokenizer';
  }
  // Responses are counted at their end only. An engine may have a chat template of its own.
  if (inputTokens === undefined && !tokens.isProven) return 'tokens';
  const prompt = tokens.prompt();
  if (prompt === undefined || prompt.length !== (inputTokens ?? prompt.length)) return 'tokens';
  const opening = openingOf(prompt, open, tokens);
  if (opening === undefined) return 'sampled';
  const ids = [...Array.from(prompt), ...opening, ...Array.from(text)];
  const sentTokens = ids.length - prompt.length;
  const changes: Record<string, string> = {
    kv_transfer_params: `{"prompt_token_ids":[${ids.join(',')}]}`,
  };
  const length = given.value(lengthField);
  if (typeof length === 'number') {
    if (length <= sentTokens) return 'length';
    changes[lengthField] = String(length - sentTokens);
  }
  // The prompt has been truncated already.
  if (kind === 'responses') changes['truncation'] = '"disabled"';
  return { body: withMembers(body, changes), promptTokens: prompt.length, sentTokens };
}

/** Tokens between the prompt and the text, which a parser has removed; undefined if that is not known. */
function openingOf(
  prompt: ArrayLike<number>,
  { isReasoning }: OpenText,
  tokens: TextTokens,
): readonly number[] | undefined {
  const [start, end] = [tokens.idOf(thinkingStart), tokens.idOf(thinkingEnd)];
  const isOpen = start !== undefined && lastOf(prompt, start) > lastOf(prompt, end);
  // A text that follows hidden reasoning.
  if (!isReasoning) return isOpen ? undefined : [];
  if (start === undefined || end === undefined) return undefined;
  return isOpen ? [] : [start];
}

function lastOf(tokens: ArrayLike<number>, id: number | undefined): number {
  for (let i = tokens.length - 1; i >= 0; i--) if (tokens[i] === id) return i;
  return -1;
}

function stopRefusal(value: unknown): TextRefusal | undefined {
  const isOneCharacter = (one: unknown) => typeof one === 'string' && [...one].length <= 1;
  return [value].flat().every(isOneCharacter) ? undefined : 'stop';
}

/** Whether a choice of tools leaves the response free. */
function isFree(choice: unknown): boolean {
  return choice == null || choice === 'auto' || choice === 'none';
}

function fieldOf(value: unknown, field: string): unknown {
  return typeof value === 'object' && value !== null
    ? (value as Readonly<Record<string, unknown>>)[field]
    : undefined;
}
