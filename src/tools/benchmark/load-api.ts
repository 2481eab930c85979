// The APIs that load can use: the path, the fields of a request, and what each event of a response says.
import {
  type AnswerChunk,
  readAnswerChunk,
  readEmbeddings,
  readMessagesEvent,
  readResponsesEvent,
} from './answer-chunk.ts';

/** APIs by the form of their prompts: `tokens` are token ids, sent to /v1/completions. */
export const promptApis = [
  'chat',
  'completions',
  'tokens',
  'responses',
  'messages',
  'embeddings',
] as const;
export type PromptApi = (typeof promptApis)[number];

/** What a prompt consists of: messages by turns, beginning with the user's; or one text. */
export type PromptForm = 'messages' | 'text' | 'tokens';

/** One API of a server. */
export interface LoadApi {
  /** Path below the API's base URL. */
  readonly path: string;
  readonly form: PromptForm;
  /** Whether a response is a stream of events; otherwise, it is one JSON object. */
  readonly isStreamed: boolean;
  /** Fields of every request. */
  readonly shared: Readonly<Record<string, unknown>>;
  /** Field of the prompt. */
  readonly promptField: 'messages' | 'prompt' | 'input';
  /** Field of the maximum length of a response; undefined where nothing is generated. */
  readonly lengthField: 'max_tokens' | 'max_output_tokens' | undefined;
  /** Fields that keep a response from ending before that length, as far as vLLM has them. */
  readonly enforced: readonly ('ignore_eos' | 'min_tokens')[];
  /** Whether `[DONE]` ends a stream. */
  readonly endsWithDone: boolean;
  /** @throws {SyntaxError} If the text is not a JSON object. */
  readonly read: (data: string) => AnswerChunk;
}

const streamed = { stream: true, stream_options: { include_usage: true } };

const completions: LoadApi = {
  path: '/completions',
  form: 'text',
  isStreamed: true,
  shared: streamed,
  promptField: 'prompt',
  lengthField: 'max_tokens',
  enforced: ['ignore_eos', 'min_tokens'],
  endsWithDone: true,
  read: readAnswerChunk,
};

/** Each API by its name. */
export const loadApis: Readonly<Record<PromptApi, LoadApi>> = {
  chat: { ...completions, path: '/chat/completions', form: 'messages', promptField: 'messages' },
  completions,
  tokens: { ...completions, form: 'tokens' },
  responses: {
    path: '/responses',
    form: 'messages',
    isStreamed: true,
    shared: { stream: true, store: false },
    promptField: 'input',
    lengthField: 'max_output_tokens',
    enforced: ['ignore_eos'],
    endsWithDone: false,
    read: readResponsesEvent,
  },
  messages: {
    path: '/messages',
    form: 'messages',
    isStreamed: true,
    shared: { stream: true },
    promptField: 'messages',
    lengthField: 'max_tokens',
    // Anthropic's API has no field for it.
    enforced: [],
    endsWithDone: false,
    read: readMessagesEvent,
  },
  embeddings: {
    path: '/embeddings',
    form: 'text',
    isStreamed: false,
    shared: {},
    promptField: 'input',
    lengthField: undefined,
    enforced: [],
    endsWithDone: false,
    read: readEmbeddings,
  },
};
