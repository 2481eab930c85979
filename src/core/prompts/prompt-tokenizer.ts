// Computes the tokens of a request's prompt from its body, without the checks that only an engine needs to make.
import {
  ApiError,
  type ChatMessage,
  type ChatRequest,
  type CompletionRequest,
  chatRequestOf,
  chatRequestOfResponses,
  withReasoning,
} from '../api/index.ts';
import { PieceCache, type Tokenizer } from '../tokenizer/index.ts';
import { chatText } from './chat-text.ts';

/** The API of a request, by its path. */
export type PromptKind = 'chat' | 'completions' | 'messages' | 'responses' | 'generate';

/**
 * Why a prompt has no tokens here:
 * - `multimodal`: parts of it are not text.
 * - `several`: the request has several prompts.
 * - `unsupported`: it depends on what only the engine knows: a stored response, its limits, its format of content.
 * - `template`: the model has no chat template, or one that does not work here (`templateFault`).
 * - `refused`: the template or vLLM refuses the request, and so will the engine.
 */
export type NotTokenized = 'multimodal' | 'several' | 'unsupported' | 'template' | 'refused';

export interface TokenizedPrompt {
  /** Shape [tokens]. */
  readonly tokens: Uint32Array;
  readonly cacheSalt: string | undefined;
}

type Body = Readonly<Record<string, unknown>>;

/**
 * Gives the tokens that an engine with this tokenizer computes for a request. What was encoded before is kept by its
 * content, so that of a longer conversation only the new turn is encoded.
 *
 * @example
 * const prompts = new PromptTokenizer(tokenizer);
 * prompts.tokenize('completions', { prompt: 'Hello, world!' }); // { tokens: [9707, 11, 1879, 0], … }
 */
export class PromptTokenizer {
  /** Why chats have no tokens, in plain words; undefined if they have. */
  readonly templateFault: string | undefined;
  readonly #tokenizer: Tokenizer;
  readonly #pieces: PieceCache;

  constructor(tokenizer: Tokenizer, pieces: PieceCache = new PieceCache()) {
    this.#tokenizer = tokenizer;
    this.#pieces = pieces;
    this.templateFault = faultOfTemplate(tokenizer);
  }

  /** @param body The parsed JSON body. It may be anything: it comes from a client. */
  tokenize(kind: PromptKind, body: unknown): TokenizedPrompt | NotTokenized {
    if (typeof body !== 'object' || body === null || Array.isArray(body)) return 'refused';
    const fields = body as Body;
    try {
      const tokens = this.#tokens(kind, fields);
      if (typeof tokens === 'string') return tokens;
      const salt = fields['cache_salt'];
      return { tokens, cacheSalt: typeof salt === 'string' ? salt : undefined };
    } catch {
      // Fields of wrong types fail anywhere; the engine reports them to the client.
      return 'refused';
    }
  }

  /** The tokens of a text within a prompt or a response. */
  encode(text: string): readonly number[] {
    return this.#tokenizer.encode(text, { addSpecialTokens: false });
  }

  /** The id of a token by its text; undefined if there is none. */
  idOf(token: string): number | undefined {
    return this.#tokenizer.tokenId(token);
  }

  #tokens(kind: PromptKind, body: Body): Uint32Array | NotTokenized {
    switch (kind) {
      case 'completions':
        return this.#completion(body as CompletionRequest & Body);
      case 'generate':
        return idsOf(body['token_ids']) ?? 'refused';
      case 'messages':
        return this.#chat(chatRequestOf(body as Parameters<typeof chatRequestOf>[0]));
      case 'responses':
        // The engine has the conversation before.
        if (body['previous_response_id'] != null) return 'unsupported';
        return this.#chat(
          chatRequestOfResponses(body as Parameters<typeof chatRequestOfResponses>[0]),
        );
      case 'chat':
        return this.#chat(body as ChatRequest & Body);
    }
  }

  #completion(body: CompletionRequest & Body): Uint32Array | NotTokenized {
    if (body.truncate_prompt_tokens != null || body.prompt_embeds != null) return 'unsupported';
    const { prompt } = body;
    const isOneText = Array.isArray(prompt) && typeof prompt[0] !== 'number';
    if (isOneText && prompt.length > 1) return 'several';
    const only: unknown = isOneText ? prompt[0] : prompt;
    if (typeof only !== 'string') return idsOf(only) ?? 'refused';
    return this.#tokenizer.encodePieces(only, this.#pieces, {
      addSpecialTokens: body.add_special_tokens !== false,
    });
  }

  #chat(request: ChatRequest): Uint32Array | NotTokenized {
    if (this.templateFault !== undefined) return 'template';
    if (request.truncate_prompt_tokens != null) return 'unsupported';
    if (request.chat_template != null || request.chat_template_kwargs?.['chat_template'] != null) {
      return 'refused';
    }
    const messages = (request.messages ?? []).map(withReasoning) as readonly ChatMessage[];
    if (messages.length === 0) return 'refused';
    const media = hasMedia(messages);
    const ids = request.kv_transfer_params?.['prompt_token_ids'] ?? undefined;
    if (ids !== undefined && !request.echo && !media) return idsOf(ids) ?? 'refused';
    if (media) return 'multimodal';
    if (this.#tokenizer.readsContentParts && messages.some(hasParts)) return 'unsupported';
    let text: string;
    try {
      text = chatText(this.#tokenizer, { ...request, messages }, '');
    } catch (error) {
      if (error instanceof ApiError) return 'refused';
      throw error;
    }
    return this.#tokenizer.encodePieces(text, this.#pieces, {
      addSpecialTokens: request.add_special_tokens === true,
    });
  }
}

/** Renders one message: a template that fails on this does not work here. */
function faultOfTemplate(tokenizer: Tokenizer): string | undefined {
  try {
    chatText(tokenizer, { messages: [{ role: 'user', content: 'Hi' }] }, '');
    return undefined;
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
}

function idsOf(given: unknown): Uint32Array | undefined {
  if (!Array.isArray(given) || given.length === 0) return undefined;
  const isToken = (id: unknown) => Number.isInteger(id) && Number(id) >= 0 && Number(id) < 2 ** 32;
  return given.every(isToken) ? Uint32Array.from(given as number[]) : undefined;
}

/** Types of parts that are text. */
const textTypes: ReadonlySet<unknown> = new Set([
  ...['text', 'input_text', 'output_text', 'refusal', 'thinking', 'tool_reference'],
]);

function hasMedia(messages: readonly ChatMessage[]): boolean {
  return messages.some(
    ({ content }) =>
      Array.isArray(content) &&
      content.some(
        (part) => typeof part === 'object' && part !== null && !textTypes.has(part.type ?? 'text'),
      ),
  );
}

function hasParts({ content }: ChatMessage): boolean {
  return Array.isArray(content);
}
