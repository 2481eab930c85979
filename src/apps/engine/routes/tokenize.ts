// POST /tokenize and /detokenize
import {
  badRequest,
  integer64From,
  list,
  notNull,
  readBody,
  readTokenizeRequest,
  string,
  type TokenizeRequest,
} from '../../../core/api/index.ts';
import { nextSlice } from '../base/slices.ts';
import { chatPrompt, checkUntrusted } from '../chat/chat-prompt.ts';
import { checkPromptText } from '../generation/limits.ts';
import { checkModel, checkUntrustedKwargs } from '../generation/server-checks.ts';
import type { Handler } from '../http/server.ts';
import { mapInSlices } from '../runtime/breaks.ts';
import type { EmbeddedEngine } from '../runtime/embedded-engine.ts';

/** Token ids of the tokenizers library are 32 bits wide. */
const tokenIdMax = 2 ** 32 - 1;

/** Most tokens of a response: a context of a million. Writing as many takes 100 ms, in one piece. */
const tokensMax = 2 ** 20;

/** Decoding and writing more than this are slices of their own. */
const shortTokens = 65_536;

export function tokenizeRoute(engine: EmbeddedEngine): Handler {
  return async (exchange) => {
    const request = readTokenizeRequest(await exchange.json());
    checkModel(engine, request.model);
    const tokens = await tokensOf(engine, request);
    exchange.sendJson(
      200,
      JSON.stringify({
        count: tokens.length,
        max_model_len: engine.options.config.maxModelLen,
        tokens,
        token_strs: request.return_token_strs
          ? await mapInSlices(tokens, (token) => engine.tokenizer.vocabularyEntry(token))
          : null,
      }),
    );
  };
}

/** @throws {ApiError} 400 if there are too many to list. */
function listed(tokens: readonly number[]): readonly number[] {
  if (tokens.length <= tokensMax) return tokens;
  throw badRequest(
    `The text has more than ${tokensMax} tokens, the most that this engine lists. Send it in parts.`,
  );
}

/** @throws {ApiError} 400 if it cannot be turned into a prompt. */
async function tokensOf(
  engine: EmbeddedEngine,
  request: TokenizeRequest,
): Promise<readonly number[]> {
  if ('messages' in request) {
    checkUntrusted(request);
    return listed(await chatPrompt(engine, request, tokensMax));
  }
  // The fields of the other form count here too: vLLM keeps unknown fields.
  checkUntrustedKwargs(request.rest);
  checkPromptText(engine, request.prompt);
  const addSpecialTokens = request.add_special_tokens !== false;
  const tokens = listed(
    await engine.prompts.encode(request.prompt, { addSpecialTokens, tokensMax }),
  );
  const specials = addSpecialTokens ? engine.options.pooling?.specials : undefined;
  return specials === undefined ? tokens : [specials.begin, ...tokens, specials.end];
}

export function detokenizeRoute(engine: EmbeddedEngine): Handler {
  return async (exchange) => {
    const body = await exchange.json();
    const request = readBody(body, { model: string, tokens: list(notNull(integer64From(0))) }, [
      'tokens',
    ]);
    checkModel(engine, request.model);
    if (request.tokens?.some((token) => token > tokenIdMax)) {
      throw badRequest('number too large to fit in target type');
    }
    const tokens = request.tokens ?? [];
    const isLong = tokens.length > shortTokens;
    if (isLong) await nextSlice();
    const prompt = engine.tokenizer.decode(tokens);
    if (isLong) await nextSlice();
    exchange.sendJson(200, JSON.stringify({ prompt }));
  };
}
