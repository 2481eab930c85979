// POST /invocations: SageMaker's single route for chat and completions.
import {
  ApiError,
  badRequest,
  isSchemaError,
  pythonType,
  readChatRequest,
  readCompletionRequest,
} from '../../../core/api/index.ts';
import { respondToChat } from '../chat/chat-completions.ts';
import { respondToCompletion } from '../completions/completions.ts';
import type { Handler } from '../http/server.ts';
import type { EmbeddedEngine } from '../runtime/embedded-engine.ts';

export function invocationsRoute(engine: EmbeddedEngine): Handler {
  return async (exchange) => {
    exchange.checkJsonType();
    const body = fieldsOf(await exchange.ownJson());
    if ('requestType' in body) {
      const words = 'Invalid payload. stateful sessions not enabled';
      throw new ApiError(400, 'Bad Request', words);
    }
    // SageMaker's layer replaces the model with its adapter, here none.
    const { model: _model, ...rest } = body;
    if (fits(rest, readChatRequest)) await respondToChat(engine, exchange, rest);
    else if (fits(rest, readCompletionRequest)) await respondToCompletion(engine, exchange, rest);
    else {
      throw badRequest(
        "Cannot find suitable handler for request. Expected one of: ['ChatCompletionRequest', 'CompletionRequest']",
      );
    }
  };
}

/** @throws {ApiError} 400 with Python's message if the body is not an object. */
function fieldsOf(body: unknown): Readonly<Record<string, unknown>> {
  const type = pythonType(body);
  if (type === 'dict') return body as Readonly<Record<string, unknown>>;
  if (type === 'list') throw badRequest('list indices must be integers or slices, not str');
  if (type === 'str') throw badRequest("'str' object does not support item assignment");
  throw badRequest(`argument of type '${type}' is not iterable`);
}

/** Returns whether a request has this type; faults other than those of its schema are thrown. */
function fits(body: unknown, read: (body: unknown) => unknown): boolean {
  try {
    read(body);
    return true;
  } catch (error) {
    if (isSchemaError(error)) return false;
    throw error;
  }
}
