// The body of POST /v1/chat/completions/batch: several conversations under one set of parameters.
import { badRequest } from './api-error.ts';
import { type ChatRequest, readChatRequest } from './chat-request.ts';
import { type Issue, schemaError } from './schema.ts';

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
  if (!Array.isArray(conversations)) return [readChatRequest(body)];
  if (conversations.length === 0) throw schemaError([tooShort('body.messages')]);
  return conversations.map((messages: unknown, i) => {
    if (Array.isArray(messages) && messages.length > 0) {
      // A batch is never streamed, and its templates see no tools.
      const { stream: _stream, tools: _tools, tool_choice: _choice, ...rest } = fields;
      return readChatRequest({ ...rest, messages });
    }
    const loc = `body.messages.${i}`;
    const msg = 'Input should be a valid list';
    throw schemaError([
      Array.isArray(messages) ? tooShort(loc) : { type: 'list_type', loc, msg, input: messages },
    ]);
  });
}

function tooShort(loc: string): Issue {
  const msg = 'List should have at least 1 item after validation, not 0';
  const ctx = "{'field_type': 'List', 'min_length': 1, 'actual_length': 0}";
  return { type: 'too_short', loc, msg, input: [], ctx };
}
