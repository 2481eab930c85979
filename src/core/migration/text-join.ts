// The events of an engine that continues the text of a message or a response: its counts become those of the whole,
// and what repeats the text at its end gets the part before the join, too.
import type { NamedStreamKind } from './named-event.ts';
import type { ItemOpening } from './response-ids.ts';

/** vLLM's signatures are random, and sign nothing. */
const unsigned = '0'.repeat(32);

type Json = Readonly<Record<string, unknown>>;

export class TextJoin {
  readonly #kind: NamedStreamKind;
  readonly #textBefore: string;
  readonly #isReasoning: boolean;
  readonly #promptTokens: number;
  readonly #sentTokens: number;
  readonly #opening: Readonly<ItemOpening>;

  /** @param opening The item of the text as a response added it. */
  constructor(
    kind: NamedStreamKind,
    open: { readonly text: string; readonly isReasoning: boolean },
    counts: { readonly promptTokens: number; readonly sentTokens: number },
    opening: Readonly<ItemOpening>,
  ) {
    this.#kind = kind;
    this.#textBefore = open.text;
    this.#isReasoning = open.isReasoning;
    this.#promptTokens = counts.promptTokens;
    this.#sentTokens = counts.sentTokens;
    this.#opening = opening;
  }

  /** Key of the event that closes the text. */
  get closingKey(): string {
    return this.#kind === 'messages' ? 'stop 0' : 'response.output_item.done 0 undefined undefined';
  }

  /** Data of the events that close the text, if the engine has nothing to add to it. */
  closings(): readonly Json[] {
    if (this.#kind === 'messages') {
      const delta = { type: 'signature_delta', signature: unsigned };
      return [
        ...(this.#isReasoning ? [{ type: 'content_block_delta', index: 0, delta }] : []),
        { type: 'content_block_stop', index: 0 },
      ];
    }
    const { item, part } = this.#opening;
    if (item === undefined) return [];
    const whole = this.#closedItem(item);
    const at = { output_index: 0, sequence_number: 0 };
    const done = { type: 'response.output_item.done', ...at, item: whole };
    if (part === undefined) return [done];
    const name = this.#isReasoning ? 'reasoning_text' : 'output_text';
    const inItem = { content_index: 0, item_id: item['id'], ...at };
    return [
      {
        type: `response.${name}.done`,
        ...inItem,
        text: this.#textBefore,
        ...(!this.#isReasoning && { logprobs: [] }),
      },
      { type: 'response.content_part.done', ...inItem, part: this.#closedPart(part) },
      done,
    ];
  }

  #closedItem(item: Json): Json {
    const { part } = this.#opening;
    const content = part === undefined ? item['content'] : [this.#closedPart(part)];
    return { ...item, status: 'completed', content };
  }

  /**
   * @param data That of the first event.
   * @returns Why the engine has not taken the tokens that it was sent; undefined if it has.
   */
  mismatch(data: Json): string | undefined {
    const expected = this.#promptTokens + this.#sentTokens;
    if (this.#kind === 'messages') {
      const had = inputTokensOf(data);
      return had === expected ? undefined : `its prompt has ${had} tokens instead of ${expected}`;
    }
    // An engine that knows the field writes it into each response; usage comes only at the end.
    const response = data['response'];
    return isObject(response) && 'kv_transfer_params' in response
      ? undefined
      : 'it does not take the tokens of a prompt';
  }

  /** The data of an event as a part of the first stream. */
  rewritten(data: Json): Json {
    return this.#kind === 'messages' ? this.#ofMessage(data) : this.#ofResponse(data);
  }

  #ofMessage(data: Json): Json {
    const { usage } = data;
    if (!isObject(usage)) return data;
    const { output_tokens: output, input_tokens: input } = usage;
    const { cache_read_input_tokens: read, cache_creation_input_tokens: creation } = usage;
    const cached = Math.min(numberOf(read), this.#promptTokens);
    const created = Math.min(numberOf(creation), this.#promptTokens - cached);
    return {
      ...data,
      usage: {
        ...usage,
        ...(typeof input === 'number' && { input_tokens: this.#promptTokens - cached - created }),
        ...(typeof read === 'number' && { cache_read_input_tokens: cached }),
        ...(typeof creation === 'number' && { cache_creation_input_tokens: created }),
        ...(typeof output === 'number' && { output_tokens: output + this.#sentTokens }),
      },
    };
  }

  #ofResponse(data: Json): Json {
    const { item, part, text, response } = data;
    if (isObject(response)) return { ...data, response: this.#wholeResponse(response) };
    if (data['output_index'] !== 0 || !String(data['type']).endsWith('.done')) return data;
    if (isObject(item)) return { ...data, item: this.#wholeItem(item) };
    if (isObject(part)) return { ...data, part: this.#wholePart(part) };
    return typeof text === 'string' ? { ...data, text: this.#textBefore + text } : data;
  }

  #wholeResponse(response: Json): Json {
    const { output, usage, max_output_tokens: length } = response;
    return {
      ...response,
      ...(Array.isArray(output) && { output: this.#wholeOutput(output) }),
      ...(isObject(usage) && { usage: this.#wholeUsage(usage) }),
      ...(typeof length === 'number' && { max_output_tokens: length + this.#sentTokens }),
    };
  }

  #wholeOutput([first, ...rest]: readonly unknown[]): readonly unknown[] {
    if (isObject(first)) return [this.#wholeItem(first), ...rest];
    const { item } = this.#opening;
    return item === undefined ? [] : [this.#closedItem(item)];
  }

  #wholeItem(item: Json): Json {
    const { content } = item;
    if (!Array.isArray(content) || !isObject(content[0])) return item;
    return { ...item, content: [this.#wholePart(content[0]), ...content.slice(1)] };
  }

  /** A part that opened without text; what is written once at its end has no log probabilities. */
  #closedPart(part: Json): Json {
    return { ...this.#wholePart(part), ...('logprobs' in part && { logprobs: null }) };
  }

  #wholePart(part: Json): Json {
    const { text } = part;
    return typeof text === 'string' ? { ...part, text: this.#textBefore + text } : part;
  }

  #wholeUsage(usage: Json): Json {
    const { input_tokens_details: inputDetails, output_tokens_details: details } = usage;
    const output = numberOf(usage['output_tokens']) + this.#sentTokens;
    return {
      ...usage,
      input_tokens: this.#promptTokens,
      ...(isObject(inputDetails) && { input_tokens_details: this.#inputDetails(inputDetails) }),
      output_tokens: output,
      ...(isObject(details) && {
        output_tokens_details: {
          ...details,
          reasoning_tokens:
            numberOf(details['reasoning_tokens']) + (this.#isReasoning ? this.#sentTokens : 0),
        },
      }),
      total_tokens: this.#promptTokens + output,
    };
  }

  #inputDetails(details: Json): Json {
    const cached = Math.min(numberOf(details['cached_tokens']), this.#promptTokens);
    const { cache_write_tokens: written } = details;
    return {
      ...details,
      cached_tokens: cached,
      ...(typeof written === 'number' && {
        cache_write_tokens: Math.min(written, this.#promptTokens - cached),
      }),
    };
  }
}

/** Tokens of the prompt that an event reports, cached ones included; undefined if it does not. */
export function inputTokensOf({ message, response }: Json): number | undefined {
  if (isObject(response)) {
    const { usage } = response;
    const input = isObject(usage) ? usage['input_tokens'] : undefined;
    return typeof input === 'number' ? input : undefined;
  }
  const usage = isObject(message) ? message['usage'] : undefined;
  if (!isObject(usage) || typeof usage['input_tokens'] !== 'number') return undefined;
  const { cache_read_input_tokens: read, cache_creation_input_tokens: creation } = usage;
  return usage['input_tokens'] + numberOf(read) + numberOf(creation);
}

function numberOf(value: unknown): number {
  return typeof value === 'number' ? value : 0;
}

function isObject(value: unknown): value is Json {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
