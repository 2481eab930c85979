// Turns chat messages into prompt tokens, with the checks of vLLM's server.
import { badRequest, type ChatRequest } from '../../../core/api/index.ts';
import { chatText } from '../../../core/prompts/index.ts';
import { checkPromptText } from '../generation/limits.ts';
import { checkRendered } from '../generation/request-bounds.ts';
import { checkUntrustedKwargs, type UntrustedKwargs } from '../generation/server-checks.ts';
import type { EmbeddedEngine } from '../runtime/embedded-engine.ts';

/** The fields of a request that determine the prompt. */
type PromptRequest = Pick<
  ChatRequest,
  | 'messages'
  | 'tools'
  | 'tool_choice'
  | 'chat_template'
  | 'chat_template_kwargs'
  | 'reasoning_effort'
  | 'add_generation_prompt'
  | 'continue_final_message'
  | 'add_special_tokens'
  | 'documents'
>;

/**
 * All tokens of a conversation.
 *
 * @param tokensMax If there are more, some more than these are returned.
 * @throws {ApiError} 400 if the template refuses the messages or the text is far too long.
 */
export async function chatPrompt(
  engine: EmbeddedEngine,
  request: PromptRequest,
  tokensMax?: number,
): Promise<readonly number[]> {
  return encodePrompt(engine, chatPromptText(engine, request), request, tokensMax);
}

/**
 * @param text The result of `chatPromptText`.
 * @param tokensMax If there are more, some more than these are returned.
 */
export async function encodePrompt(
  engine: EmbeddedEngine,
  text: string,
  request: Pick<PromptRequest, 'add_special_tokens'>,
  tokensMax = Number.POSITIVE_INFINITY,
): Promise<readonly number[]> {
  return engine.prompts.encode(text, {
    addSpecialTokens: request.add_special_tokens === true,
    tokensMax,
  });
}

/** Renders the messages with the template. @throws {ApiError} Like `chatPrompt`. */
export function chatPromptText(engine: EmbeddedEngine, request: PromptRequest): string {
  const messages = request.messages ?? [];
  checkUntrusted(request);
  if (messages.length === 0) {
    throw badRequest(
      'Cannot apply chat template to an empty conversation. Provide at least one message.',
    );
  }
  const { tools, documents, chat_template_kwargs: variables } = request;
  checkRendered(messages, [tools, documents, variables]);
  const text = chatText(engine.tokenizer, request, engine.modelName);
  checkPromptText(engine, text);
  return text;
}

/** @throws {ApiError} 400 for settings that only a server with trusted clients accepts. */
export function checkUntrusted(
  request: Pick<ChatRequest, 'chat_template' | 'chat_template_kwargs'> & UntrustedKwargs,
): void {
  const { chat_template: own, chat_template_kwargs: variables } = request;
  if (own != null || variables?.['chat_template'] != null) {
    throw badRequest(
      'Chat template is passed with request, but --trust-request-chat-template is not set. Refused request with untrusted chat template.',
    );
  }
  checkUntrustedKwargs(request);
}
