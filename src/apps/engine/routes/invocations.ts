// POST /invocations: SageMaker's one route for chat and completions alike.
import {
  ApiError,
  badRequest,
  isSchemaError,
  pythonType,
  readChatRequest,
  readCompletionRequest,
} from '../../../core/api/index.ts';
import type { Engine } from '../engine.ts';
import type { Handler } from '../http/server.ts';
import { answerChat } from './chat-completions.ts';
import { answerCompletion } from './completions.ts';

export function invocationsRoute(engine: Engine): Handler {
  return async (exchange) => {
    exchange.checkJsonType();
    const body = fieldsOf(await exchange.ownJson());
    if ('requestType' in body) {
      const words = 'Invalid payload. stateful sessions not enabled';
      throw new ApiError(400, 'Bad Request', words);
    }
    // SageMaker's layer puts its adapter, here none, in the place of the model.
    const { model: _model, ...rest } = body;
    if (fits(rest, readChatRequest)) answerChat(engine, exchange, rest);
    else if (fits(rest, readCompletionRequest)) answerCompletion(engine, exchange, rest);
    else {
      throw badRequest(
        "Cannot find suitable handler for request. Expected one of: ['ChatCompletionRequest', 'CompletionRequest']",
      );
    }
  };
}

/** @throws {ApiError} 400 in the words of the Python that handles what is no object. */
function fieldsOf(body: unknown): Readonly<Record<string, unknown>> {
  const type = pythonType(body);
  if (type === 'dict') return body as Readonly<Record<string, unknown>>;
  if (type === 'list') throw badRequest('list indices must be integers or slices, not str');
  if (type === 'str') throw badRequest("'str' object does not support item assignment");
  throw badRequest(`argument of type '${type}' is not iterable`);
}

/** Whether a request is of this type; a fault that is more than its form is thrown. */
function fits(body: unknown, read: (body: unknown) => unknown): boolean {
  try {
    read(body);
    return true;
  } catch (error) {
    if (isSchemaError(error)) return false;
    throw error;
  }
}
