// Turns a trace's request into the bytes of an OpenAI request with exactly as many tokens.

import { InputError } from '../../core/base/index.ts';
import type { Tokenizer } from '../../core/tokenizer/index.ts';
import {
  type BlockWriter,
  chooseWords,
  createBlockWriter,
  type TraceRequest,
} from '../../core/traces/index.ts';

/** Form of the prompts: a chat message, text, or token ids. */
export const promptApis = ['chat', 'completions', 'tokens'] as const;
export type PromptApi = (typeof promptApis)[number];

/** A request to send: a prompt of block ids, or a text. */
export interface LoadRequest extends TraceRequest {
  /** The prompt itself; its tokens were counted by whoever chose it. */
  readonly text?: string | undefined;
}

/** Writes request bodies for one model and API. */
export interface RequestWriter {
  /** Path below the API's base URL. */
  readonly path: string;
  body(request: LoadRequest): Uint8Array;
}

/**
 * Creates a writer of request bodies: streamed, with usage, and with the trace's output length enforced.
 *
 * A chat prompt includes the tokens of the template, so the message has that many fewer. The shortest
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
  const { api, model, tokenizer, blockTokens, seed, mayEndEarly = false, fields } = options;
  const encode = (text: string) => tokenizer.encode(text, { addSpecialTokens: false });
  const words = chooseWords(plainTexts(tokenizer), encode);
  if (words.length < 1000) {
    throw new InputError(
      `The tokenizer has ${words.length} English words of one token; prompts need 1000.`,
    );
  }
  const writer = createBlockWriter({ words, blockTokens, seed });
  const shared = {
    ...{ model, stream: true, stream_options: { include_usage: true } },
    ...(mayEndEarly ? {} : { ignore_eos: true }),
  };
  const word = words[0]?.text ?? '';
  const extraTokens =
    (api === 'chat'
      ? encode(tokenizer.applyChatTemplate([{ role: 'user', content: word }])).length
      : api === 'completions'
        ? tokenizer.encode(word).length
        : 1) - 1;
  const encoder = new TextEncoder();
  return {
    path: api === 'chat' ? '/chat/completions' : '/completions',
    body({ blockIds, promptTokens, outputTokens, text }) {
      const lengths = {
        max_tokens: outputTokens,
        ...(mayEndEarly ? {} : { min_tokens: outputTokens }),
      };
      const tokens = Math.max(1, promptTokens - extraTokens);
      const prompt =
        text === undefined
          ? promptOf(api, writer, blockIds, tokens)
          : promptOfText(api, text, encode);
      return encoder.encode(JSON.stringify({ ...shared, ...lengths, ...fields, ...prompt }));
    },
  };
}

function promptOf(
  api: PromptApi,
  writer: BlockWriter,
  blockIds: readonly number[],
  tokens: number,
): Record<string, unknown> {
  switch (api) {
    case 'chat':
      return { messages: [{ role: 'user', content: writer.text(blockIds, tokens) }] };
    case 'completions':
      return { prompt: writer.text(blockIds, tokens) };
    case 'tokens':
      return { prompt: writer.tokenIds(blockIds, tokens) };
  }
}

function promptOfText(
  api: PromptApi,
  text: string,
  encode: (text: string) => ArrayLike<number>,
): Record<string, unknown> {
  switch (api) {
    case 'chat':
      return { messages: [{ role: 'user', content: text }] };
    case 'completions':
      return { prompt: text };
    case 'tokens':
      return { prompt: Array.from(encode(text)) };
  }
}

function* plainTexts(tokenizer: Tokenizer): Generator<string> {
  for (let id = 0; id < tokenizer.vocabularySize; id++) {
    const text = tokenizer.tokenText(id);
    if (text !== undefined) yield text;
  }
}
