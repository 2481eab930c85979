// The router's own errors in the shape of the API that a request uses: OpenAI's, or Anthropic's for /v1/messages.
import { type OpenAiError, openAiErrorJson, typeOf } from './openai-error.ts';

type ErrorApi = 'openai' | 'messages' | 'responses';

/** Anthropic's names, which its clients look for in a stream, where no status tells them more. */
const anthropicTypes: Readonly<Record<number, string>> = {
  429: 'rate_limit_error',
  503: 'overloaded_error',
  504: 'timeout_error',
};

/** @param target Of the request; it may begin with the root path. */
function apiOf(target: string): ErrorApi {
  const path = target.split('?', 1)[0] as string;
  if (/\/v1\/messages(?:\/count_tokens)?$/.test(path)) return 'messages';
  return /\/v1\/responses(?:\/|$)/.test(path) ? 'responses' : 'openai';
}

/** The JSON text of an error response to a request for `target`; the types are vLLM's, for messages, too. */
export function errorJson(target: string, error: OpenAiError): string {
  if (apiOf(target) !== 'messages') return openAiErrorJson(error);
  const { message } = error;
  return JSON.stringify({ type: 'error', error: { type: typeOf(error.status), message } });
}

/**
 * The event that ends a stream early.
 *
 * @param number The `sequence_number` of an event of a response; undefined if it is not known.
 */
export function errorEvent(target: string, error: OpenAiError, number?: number): string {
  switch (apiOf(target)) {
    case 'messages': {
      const type = anthropicTypes[error.status] ?? 'api_error';
      const data = { type: 'error', error: { type, message: error.message } };
      return `event: error\ndata: ${JSON.stringify(data)}\n\n`;
    }
    case 'responses': {
      // OpenAI's clients raise an exception for an object `error`; the event that its reference describes has none.
      const whole = JSON.parse(openAiErrorJson(error)) as { readonly error: object };
      const data = {
        ...{ type: 'error', code: typeOf(error.status), message: error.message },
        ...{ param: error.param ?? null, sequence_number: number, ...whole },
      };
      return `event: error\ndata: ${JSON.stringify(data)}\n\n`;
    }
    case 'openai':
      return `data: ${openAiErrorJson(error)}\n\n`;
  }
}
