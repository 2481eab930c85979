// Chat messages to prompt tokens, as vLLM prepares them for the model's template.
import { InputError } from '../../../core/base/index.ts';
import {
  badRequest,
  type ChatMessage,
  type ChatRequest,
  type Tool,
} from '../../../core/protocol/index.ts';
import type { TemplateMessage } from '../../../core/tokenizer/index.ts';
import type { Engine } from '../engine.ts';
import { checkPromptText } from './limits.ts';

/** What a prompt is made of. */
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
>;

/** @throws {ApiError} 400 if the template refuses the messages or the text is far too long. */
export function chatPrompt(engine: Engine, request: PromptRequest): number[] {
  return engine.tokenizer.encode(chatPromptText(engine, request), {
    addSpecialTokens: request.add_special_tokens === true,
  });
}

/** The text that the template makes of the messages. @throws {ApiError} As `chatPrompt`. */
export function chatPromptText(engine: Engine, request: PromptRequest): string {
  const messages = request.messages ?? [];
  if (request.chat_template != null) {
    throw badRequest(
      'Chat template is passed with request, but --trust-request-chat-template is not set. Refused request with untrusted chat template.',
    );
  }
  if (messages.length === 0) {
    throw badRequest(
      'Cannot apply chat template to an empty conversation. Provide at least one message.',
    );
  }
  const text = render(engine, messages, request);
  checkPromptText(engine, text);
  return text;
}

function render(
  engine: Engine,
  messages: readonly ChatMessage[],
  request: Parameters<typeof chatPrompt>[1],
): string {
  const tools = request.tools ?? [];
  try {
    return engine.tokenizer.applyChatTemplate(
      messages.map((message) => templateMessage(message, engine.modelName)),
      {
        tools: tools.length > 0 ? tools.map(templateTool) : undefined,
        addGenerationPrompt: request.add_generation_prompt ?? true,
        continueFinalMessage: request.continue_final_message ?? false,
        variables: {
          ...(request.reasoning_effort != null && { reasoning_effort: request.reasoning_effort }),
          ...(request.reasoning_effort === 'none' && { enable_thinking: false }),
          ...request.chat_template_kwargs,
        },
      },
    );
  } catch (error) {
    if (error instanceof InputError) throw badRequest(error.message);
    throw error;
  }
}

/** Content parts become one text; tool arguments become objects, which templates print as JSON. */
function templateMessage(message: ChatMessage, modelName: string): TemplateMessage {
  const given = typeof message['role'] === 'string' ? message['role'] : 'user';
  // Templates know no developer; vLLM gives them its words as the system's.
  const role = given === 'developer' ? 'system' : given;
  const calls = message['tool_calls'];
  return {
    ...message,
    role,
    content: contentText(message['content'], modelName),
    ...(Array.isArray(calls) && { tool_calls: calls.map(withParsedArguments) }),
  };
}

/** A tool as vLLM hands it to templates, which print it: unset fields are null, but for `strict`. */
function templateTool({ function: described }: Tool): object {
  const { name, description, parameters, strict } = described ?? {};
  return {
    type: 'function',
    function: {
      name,
      description: description ?? null,
      parameters: parameters ?? null,
      ...(strict != null && { strict }),
    },
  };
}

function contentText(content: unknown, modelName: string): string {
  if (content === undefined || content === null) return '';
  if (!Array.isArray(content)) return String(content);
  return content
    .map((part) => {
      const { type, text, refusal } = Object(part) as Record<string, unknown>;
      if (type === 'text' && typeof text === 'string') return text;
      if (type === 'refusal') return String(refusal ?? '');
      throw badRequest(`${modelName} is not a multimodal model`);
    })
    .join('\n');
}

function withParsedArguments(call: unknown): unknown {
  const { function: called } = call as { function?: { arguments?: unknown } };
  if (typeof called?.arguments !== 'string') return call;
  return { ...(call as object), function: { ...called, arguments: parsed(called.arguments) } };
}

/** Arguments that are no JSON count as none. */
function parsed(text: string): unknown {
  try {
    return text === '' ? {} : JSON.parse(text);
  } catch {
    return {};
  }
}
