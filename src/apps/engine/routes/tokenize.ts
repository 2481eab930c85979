// POST /tokenize and /detokenize
import {
  anything,
  badRequest,
  boolean,
  dictionary,
  type Issue,
  integer,
  list,
  literal,
  object,
  pythonType,
  readBody,
  schemaError,
  string,
} from '../../../core/protocol/index.ts';
import type { Engine } from '../engine.ts';
import { chatPrompt, checkUntrustedKwargs } from '../generation/chat-prompt.ts';
import { checkModel } from '../generation/check-model.ts';
import type { Handler } from '../http/server.ts';

/** Token ids of the tokenizers library are 32 bits wide. */
const tokenIdMax = 2 ** 32 - 1;

const tokenizeFields = {
  model: string,
  prompt: string,
  messages: list(dictionary(anything)),
  add_special_tokens: boolean,
  return_token_strs: boolean,
  add_generation_prompt: boolean,
  continue_final_message: boolean,
  chat_template: string,
  chat_template_kwargs: dictionary(anything),
  mm_processor_kwargs: dictionary(anything),
  tools: list(object({ type: literal('function'), function: anything }, ['type', 'function'])),
} as const;

export function tokenizeRoute(engine: Engine): Handler {
  return async (exchange) => {
    const body = await exchange.json();
    refuseNeither(body);
    const request = readBody(body, tokenizeFields);
    if (request.continue_final_message && request.add_generation_prompt) {
      throw badRequest(
        'Cannot set both `continue_final_message` and `add_generation_prompt` to True.',
      );
    }
    checkModel(engine, request.model);
    checkUntrustedKwargs(request);
    const { tokenizer } = engine;
    const tokens =
      request.messages != null
        ? chatPrompt(engine, { ...request, tools: request.tools as never })
        : tokenizer.encode(request.prompt ?? '', {
            addSpecialTokens: request.add_special_tokens !== false,
          });
    exchange.sendJson(
      200,
      JSON.stringify({
        count: tokens.length,
        max_model_len: engine.options.config.maxModelLen,
        tokens,
        token_strs: request.return_token_strs
          ? tokens.map((token) => tokenizer.vocabularyEntry(token))
          : null,
      }),
    );
  };
}

/** A body that is neither of the two forms is reported as failing both. */
function refuseNeither(body: unknown): void {
  if (body === null || pythonType(body) !== 'dict') {
    throw schemaError(body === null ? [missingBody] : [notFields(body), notFields(body)]);
  }
  const { prompt, messages } = body as Readonly<Record<string, unknown>>;
  if (prompt != null || Array.isArray(messages)) return;
  const missing = { type: 'missing', msg: 'Field required', input: body };
  const loc = 'body.messages';
  throw schemaError([
    { ...missing, loc: 'body.prompt' },
    messages == null
      ? { ...missing, loc }
      : { type: 'list_type', loc, msg: 'Input should be a valid list', input: messages },
  ]);
}

const missingBody = { type: 'missing', loc: 'body', msg: 'Field required', input: null };

function notFields(input: unknown): Issue {
  const msg = 'Input should be a valid dictionary or object to extract fields from';
  return { type: 'model_attributes_type', loc: 'body', msg, input };
}

export function detokenizeRoute(engine: Engine): Handler {
  return async (exchange) => {
    const body = await exchange.json();
    const request = readBody(body, { model: string, tokens: list(integer(0)) }, ['tokens']);
    checkModel(engine, request.model);
    if (request.tokens?.some((token) => token > tokenIdMax)) {
      throw badRequest('number too large to fit in target type');
    }
    const prompt = engine.tokenizer.decode(request.tokens ?? []);
    exchange.sendJson(200, JSON.stringify({ prompt }));
  };
}
