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

/** Writes request bodies for one model and API. */
export interface RequestWriter {
  /** Path below the API's base URL. */
  readonly path: string;
  body(request: TraceRequest): Uint8Array;
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
}): RequestWriter {
  const { api, model, tokenizer, blockTokens, seed } = options;
  const encode = (text: string) => tokenizer.encode(text, { addSpecialTokens: false });
  const words = chooseWords(plainTexts(tokenizer), encode);
  if (words.length < 1000) {
    throw new InputError(
      `The tokenizer has ${words.length} English words of one token; prompts need 1000.`,
    );
  }
  const writer = createBlockWriter({ words, blockTokens, seed });
  const shared = { model, stream: true, stream_options: { include_usage: true }, ignore_eos: true };
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
    body({ blockIds, promptTokens, outputTokens }) {
      const lengths = { max_tokens: outputTokens, min_tokens: outputTokens };
      const tokens = Math.max(1, promptTokens - extraTokens);
      const prompt = promptOf(api, writer, blockIds, tokens);
      return encoder.encode(JSON.stringify({ ...shared, ...lengths, ...prompt }));
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

function* plainTexts(tokenizer: Tokenizer): Generator<string> {
  for (let id = 0; id < tokenizer.vocabularySize; id++) {
    const text = tokenizer.tokenText(id);
    if (text !== undefined) yield text;
  }
}
