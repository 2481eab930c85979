// Plans a request of the Responses API: the resulting chat request, and the plan of that.
import {
  ApiError,
  type ChatMessage,
  chatRequestOfResponses,
  type ResponsesRequest,
} from '../../../core/api/index.ts';
import { type ChatPlan, planChat } from '../chat/chat-plan.ts';
import { checkModel, checkUntrustedKwargs } from '../generation/server-checks.ts';
import type { EmbeddedEngine } from '../runtime/embedded-engine.ts';
import type { ResponseStore } from './response-store.ts';
import { responseNotFound } from './stored-responses.ts';

export interface ResponsePlan {
  readonly request: ReturnType<typeof chatRequestOfResponses>;
  readonly plan: ChatPlan;
}

/** @throws {ApiError} In the order of vLLM's checks. */
export async function planResponse(
  engine: EmbeddedEngine,
  given: ResponsesRequest,
  {
    store,
    isRender = false,
  }: { readonly store?: ResponseStore | undefined; readonly isRender?: boolean } = {},
): Promise<ResponsePlan> {
  checkModel(engine, given.model);
  if (given.background && !store) {
    throw invalidRequest(
      'This vLLM engine does not support `store=True` and therefore does not support the background mode. To enable these features, set the environment variable `VLLM_ENABLE_RESPONSES_API_STORE=1` when launching the vLLM server.',
      'background',
    );
  }
  const request = chatRequestOfResponses(given, historyOf(given.previous_response_id, store));
  checkUntrustedKwargs(given);
  return {
    request,
    plan: await planChat(engine, request, { maxTokensName: 'max_output_tokens', isRender }),
  };
}

/** Returns the conversation up to a response: instructions do not carry over, texts become turns. */
function historyOf(id: string | null | undefined, store: ResponseStore | undefined): ChatMessage[] {
  if (id == null) return [];
  const previous = store?.get(id);
  if (previous === undefined) throw responseNotFound(id);
  const { output = [] } = previous.response as { readonly output?: readonly OutputItem[] };
  const said = output
    .filter(({ type }) => type === 'message')
    .flatMap(({ content }) => content ?? [])
    .map(({ text }) => ({ role: 'assistant', content: text }));
  return [...previous.messages.filter(({ role }) => role !== 'system'), ...said];
}

interface OutputItem {
  readonly type: string;
  readonly content?: readonly { readonly text: string }[];
}

/** Returns a 400 in OpenAI's format. @param param The invalid field. */
export function invalidRequest(message: string, param: string): ApiError {
  return new ApiError(400, 'invalid_request_error', message, { param });
}
