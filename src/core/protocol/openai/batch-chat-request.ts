// The body of POST /v1/chat/completions/batch: several conversations under one set of parameters.
import { badRequest } from './api-error.ts';
import { type ChatRequest, readChatRequest } from './chat-request.ts';
import { schemaError } from './schema.ts';

/**
 * @returns One chat request per conversation.
 * @throws {ApiError} 400, also for what a batch cannot have: beam search, several choices.
 */
export function readBatchChatRequest(body: unknown): readonly ChatRequest[] {
  const fields = (body ?? {}) as Readonly<Record<string, unknown>>;
  if (fields['use_beam_search']) {
    throw badRequest(
      'Batch chat completions do not support beam search. Please set `use_beam_search` to False.',
      'use_beam_search',
    );
  }
  if (fields['n'] != null && fields['n'] !== 1) {
    throw badRequest(
      'Batch chat completions do not support `n > 1`. Please set `n` to 1.',
      'n',
      `${fields['n']}`,
    );
  }
  const conversations = fields['messages'];
  if (!Array.isArray(conversations) || conversations.length === 0) return [readChatRequest(body)];
  return conversations.map((messages: unknown, i) => {
    if (Array.isArray(messages) && messages.length > 0) {
      // Streams and tools are no fields of a batch: vLLM ignores them.
      const { stream: _stream, tools: _tools, tool_choice: _choice, ...rest } = fields;
      return readChatRequest({ ...rest, messages });
    }
    const loc = `body.messages.${i}`;
    throw schemaError([
      Array.isArray(messages)
        ? {
            type: 'too_short',
            loc,
            msg: 'List should have at least 1 item after validation, not 0',
            input: messages,
          }
        : { type: 'list_type', loc, msg: 'Input should be a valid list', input: messages },
    ]);
  });
}
