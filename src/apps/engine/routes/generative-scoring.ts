// POST /generative_scoring: how likely each item makes the first of some labels as the next token.
import {
  type ApiError,
  badRequest,
  boolean,
  type Issue,
  integer,
  list,
  type Parser,
  readBody,
  string,
  union,
} from '../../../core/protocol/index.ts';
import { createdSeconds } from '../answers/answer.ts';
import type { Engine } from '../engine.ts';
import { checkModel } from '../generation/check-model.ts';
import { checkTokenIds } from '../generation/limits.ts';
import { randomHex } from '../generation/request-id.ts';
import { startGeneration } from '../generation/start.ts';
import type { Handler } from '../http/server.ts';
import { ownLogprob } from '../text/logprobs.ts';

const text: Parser<string | readonly number[]> = union(string, list(integer(0)));
const items: Parser<readonly (string | readonly number[])[]> = (value, loc, issues) => {
  if (Array.isArray(value)) return list(text)(value, loc, issues);
  const issue: Issue = {
    ...{ type: 'list_type', loc, input: value },
    msg: 'Input should be a valid list',
  };
  // Once as a list of texts, once as one of token ids.
  issues.push(issue, issue);
  return undefined;
};

const fields = {
  model: string,
  query: text,
  items,
  label_token_ids: list(integer()),
  apply_softmax: boolean,
  item_first: boolean,
  add_special_tokens: boolean,
} as const;

/** Every prompt runs through the engine for one token; the scores are synthetic, by the label. */
export function generativeScoringRoute(engine: Engine): Handler {
  return async (exchange) => {
    const request = readBody(await exchange.json(), fields, ['query', 'items', 'label_token_ids']);
    checkModel(engine, request.model);
    const labels = request.label_token_ids ?? [];
    const given = request.items ?? [];
    if (given.length === 0) throw badRequest('items must contain at least one item.');
    if (labels.length === 0) {
      throw badRequest('label_token_ids must contain at least one token ID.');
    }
    const outside = labels.find((id) => id < 0 || id >= engine.vocabularySize);
    if (outside !== undefined) {
      throw badRequest(
        `label_token_id ${outside} is out of vocabulary range [0, ${engine.vocabularySize}). Please provide valid token IDs.`,
      );
    }
    const tokensOf = (part: string | readonly number[]): readonly number[] => {
      if (typeof part === 'string') return engine.tokenizer.encode(part);
      checkTokenIds(engine, part);
      return part;
    };
    const query = tokensOf(request.query ?? '');
    const prompts = given.map((item) => {
      const own = tokensOf(item);
      const tokens = request.item_first ? [...own, ...query] : [...query, ...own];
      if (tokens.length >= engine.options.config.maxModelLen) throw tooLong(engine, tokens.length);
      return { tokens, maxTokens: 1 };
    });
    const id = `generative-scoring-${randomHex(8)}`;
    const promptTokens = prompts.reduce((total, { tokens }) => total + tokens.length, 0);
    const send = () => {
      const data = given.map((_, index) => ({
        index,
        object: 'score',
        score: score(engine, labels, request.apply_softmax !== false),
      }));
      const usage = {
        prompt_tokens: promptTokens,
        total_tokens: promptTokens + given.length,
        completion_tokens: given.length,
        prompt_tokens_details: null,
        completion_tokens_details: null,
      };
      const model = request.model ?? engine.modelName;
      const answer = { id, object: 'list', created: createdSeconds(), model, data, usage };
      exchange.sendJson(200, JSON.stringify(answer));
    };
    let open = prompts.length;
    startGeneration({
      ...{ engine, exchange, id, prompts, isStream: false },
      request: { ignore_eos: true, model: request.model },
      answer: {
        start: () => {},
        onDelta: () => {
          if (--open === 0) send();
        },
      },
    });
  };
}

/** The share of the first label among all labels, or its own probability. */
function score(engine: Engine, labels: readonly number[], isAmongLabels: boolean): number {
  const weights = labels.map((id) => Math.exp(ownLogprob(engine.tokenizer, id).logprob));
  const [first = 0] = weights;
  return isAmongLabels ? first / weights.reduce((total, weight) => total + weight, 0) : first;
}

function tooLong(engine: Engine, length: number): ApiError {
  return badRequest(
    `This model's maximum context length is ${engine.options.config.maxModelLen} tokens. However, your prompt contains ${length} input tokens. Please reduce the length of the input prompt.`,
  );
}
