// Turns a request of block ids, or of the parts of a conversation, into the bytes of an API request with
// exactly as many tokens.
import { InputError } from '../../core/base/index.ts';
import type { Tokenizer } from '../../core/tokenizer/index.ts';
import type { TraceRequest } from '../../core/traces/index.ts';
import { chooseWords, createBlockWriter } from './block-prompt.ts';
import { type LoadApi, loadApis, type PromptApi } from './load-api.ts';
import type { TextMessage } from './text-rows.ts';

/** A request to send: a prompt of block ids, or a text. */
export interface LoadRequest extends TraceRequest {
  /** The prompt itself; its tokens were counted by whoever chose it. */
  readonly text?: string | undefined;
  /** The messages of a chat, instead of `text`; their tokens, with the chat template, are `promptTokens`. */
  readonly messages?: readonly TextMessage[] | undefined;
  /** Parts of a prompt that contains responses, instead of `blockIds` and `text`. */
  readonly parts?: readonly PromptPart[] | undefined;
  /** Client or conversation, for a server that keeps sessions together. */
  readonly session?: string | undefined;
  /** Model or adapter, instead of the model of the run. */
  readonly model?: string | undefined;
}

/** A part of a prompt: words, or a response that the server gave before. */
export type PromptPart =
  /** `id` says which words: equal ids give equal words. */
  { readonly id: number; readonly tokens: number } | { readonly response: string };

/** Writes request bodies for one model and API. */
export interface RequestWriter {
  readonly api: LoadApi;
  body(request: LoadRequest): Uint8Array;
  /** Number of tokens that a server with this tokenizer counts for the prompt. */
  serverTokens(request: LoadRequest): number;
}

/**
 * Creates a writer of request bodies: streamed, with usage, and with the trace's output length enforced.
 *
 * A chat prompt includes the tokens of the template, so the user's messages have that many fewer. The shortest
 * possible prompt is the template plus one word.
 *
 * @throws {InputError} If the tokenizer's vocabulary has too few plain words.
 */
export function createRequestWriter(options: {
  readonly api: PromptApi;
  readonly model: string;
  readonly tokenizer: Tokenizer;
  readonly blockTokens: number;
  readonly seed: number;
  /** Whether an end-of-text token may end a response before its length. @default false */
  readonly mayEndEarly?: boolean | undefined;
  /** Further fields of each body, such as `temperature`. */
  readonly fields?: Readonly<Record<string, unknown>> | undefined;
}): RequestWriter {
  const { model, tokenizer, mayEndEarly = false, fields } = options;
  const api = loadApis[options.api];
  const prompts = new Prompts(api, tokenizer, options);
  const encoder = new TextEncoder();
  return {
    api,
    body(request) {
      const { outputTokens } = request;
      return encoder.encode(
        JSON.stringify({
          model: request.model ?? model,
          ...api.shared,
          ...(api.lengthField === undefined ? {} : { [api.lengthField]: outputTokens }),
          ...(mayEndEarly ? {} : enforcedLength(api, outputTokens)),
          ...fields,
          ...systemField(api, request),
          [api.promptField]: prompts.of(request),
        }),
      );
    },
    serverTokens: (request) => prompts.serverTokens(request),
  };
}

/** The Messages API takes the system's message outside the list. */
function systemField({ path }: LoadApi, { messages }: LoadRequest): Record<string, unknown> {
  if (path !== loadApis.messages.path || messages === undefined) return {};
  const texts = messages.filter(({ role }) => role === 'system').map(({ content }) => content);
  return texts.length === 0 ? {} : { system: texts.join('\n\n') };
}

function enforcedLength({ enforced }: LoadApi, outputTokens: number): Record<string, unknown> {
  const all = { ignore_eos: true, min_tokens: outputTokens };
  return Object.fromEntries(enforced.map((field) => [field, all[field]]));
}

type Message = TextMessage;

/** Writes prompts in the form of an API. */
class Prompts {
  readonly #api: LoadApi;
  readonly #encode: (text: string) => ArrayLike<number>;
  readonly #blocks: ReturnType<typeof createBlockWriter>;
  /** Writes parts of any length: each is one block, of which it takes what it needs. */
  readonly #parts: ReturnType<typeof createBlockWriter>;
  /** Tokens that the API adds to a prompt of one message, or of text. */
  readonly #extraTokens: number;
  /** Tokens that it adds for a response and the message after it. */
  readonly #extraTurnTokens: number;

  constructor(
    api: LoadApi,
    tokenizer: Tokenizer,
    { blockTokens, seed }: { readonly blockTokens: number; readonly seed: number },
  ) {
    this.#api = api;
    this.#encode = (text) => tokenizer.encode(text, { addSpecialTokens: false });
    const words = chooseWords(plainTexts(tokenizer), this.#encode);
    if (words.length < 1000) {
      throw new InputError(
        `The tokenizer has ${words.length} English words of one token; prompts need 1000.`,
      );
    }
    this.#blocks = createBlockWriter({ words, blockTokens, seed });
    this.#parts = createBlockWriter({ words, blockTokens: Number.MAX_SAFE_INTEGER, seed });
    const content = words[0]?.text ?? '';
    const templated = (...roles: ('user' | 'assistant')[]) =>
      this.#encode(tokenizer.applyChatTemplate(roles.map((role) => ({ role, content })))).length;
    if (api.form === 'messages') {
      this.#extraTokens = templated('user') - 1;
      this.#extraTurnTokens = templated('user', 'assistant', 'user') - templated('user') - 2;
    } else {
      this.#extraTokens = api.form === 'text' ? tokenizer.encode(content).length - 1 : 0;
      this.#extraTurnTokens = 0;
    }
  }

  of(request: LoadRequest): string | readonly number[] | readonly Message[] {
    const { parts, text, messages, blockIds, promptTokens } = request;
    if (parts !== undefined) return this.#ofParts(parts);
    if (messages !== undefined) {
      const isApart = this.#api.path === loadApis.messages.path;
      return isApart ? messages.filter(({ role }) => role !== 'system') : messages;
    }
    const tokens = Math.max(1, promptTokens - this.#extraTokens);
    if (this.#api.form === 'tokens') {
      return text === undefined
        ? this.#blocks.tokenIds(blockIds, tokens)
        : Array.from(this.#encode(text));
    }
    const content = text ?? this.#blocks.text(blockIds, tokens);
    return this.#api.form === 'text' ? content : [{ role: 'user', content }];
  }

  /** A text from a dataset has its own tokens, and the template comes on top. */
  serverTokens({ parts, text, promptTokens }: LoadRequest): number {
    const isTemplated = this.#api.form === 'messages' && text !== undefined && parts === undefined;
    return isTemplated ? promptTokens + this.#extraTokens : promptTokens;
  }

  #ofParts(parts: readonly PromptPart[]): string | readonly number[] | readonly Message[] {
    const messages = this.#messagesOf(parts);
    switch (this.#api.form) {
      case 'messages':
        return messages;
      case 'text':
        return joined(messages);
      case 'tokens':
        return Array.from(this.#encode(joined(messages)));
    }
  }

  /** Parts between two responses are one message. */
  #messagesOf(parts: readonly PromptPart[]): Message[] {
    const messages: Message[] = [];
    let words: string[] = [];
    let extra = this.#extraTokens;
    parts.forEach((part, index) => {
      if ('response' in part) {
        if (words.length > 0) messages.push({ role: 'user', content: words.join(' ') });
        messages.push({ role: 'assistant', content: part.response });
        words = [];
        extra = this.#extraTurnTokens;
        return;
      }
      // The last part of a message makes room for what the template adds, so that shared parts stay equal.
      const next = parts[index + 1];
      const isLast = next === undefined || 'response' in next;
      const tokens = isLast ? Math.max(1, part.tokens - extra) : part.tokens;
      if (tokens > 0) words.push(this.#parts.text([part.id], tokens));
    });
    if (words.length > 0) messages.push({ role: 'user', content: words.join(' ') });
    return messages;
  }
}

/** A conversation as plain text: words have a space before them, a response continues what it responds to. */
function joined(messages: readonly Message[]): string {
  let text = '';
  for (const { role, content } of messages) {
    text += role === 'assistant' || text === '' ? content : ` ${content}`;
  }
  return text;
}

function* plainTexts(tokenizer: Tokenizer): Generator<string> {
  for (let id = 0; id < tokenizer.vocabularySize; id++) {
    const text = tokenizer.tokenText(id);
    if (text !== undefined) yield text;
  }
}
