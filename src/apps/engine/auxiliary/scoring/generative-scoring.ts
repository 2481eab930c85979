// POST /generative_scoring: how likely some labels are as the next token after each item.
import { badRequest, readScoringRequest } from '../../../../core/api/index.ts';
import { admitToEngine } from '../../generation/engine-admission.ts';
import { checkPromptText } from '../../generation/limits.ts';
import { createdSeconds } from '../../generation/response-writer.ts';
import { checkModel } from '../../generation/server-checks.ts';
import { type PromptPlan, startGeneration } from '../../generation/start-generation.ts';
import { requestId } from '../../http/request-id.ts';
import type { Handler } from '../../http/server.ts';
import type { EmbeddedEngine } from '../../runtime/embedded-engine.ts';
import { ownLogprob } from '../../text/logprobs.ts';

/**
 * Every prompt runs through the engine for one token; the scores are synthetic, derived from the
 * label.
 */
export function generativeScoringRoute(engine: EmbeddedEngine): Handler {
  return async (exchange) => {
    const request = readScoringRequest(await exchange.json());
    const labels = request.label_token_ids ?? [];
    const items: readonly (string | readonly number[])[] = request.items ?? [];
    checkModel(engine, request.model);
    engine.checkAdmission(items.length);
    checkLabels(engine, labels);
    if (items.length === 0) throw badRequest('items must contain at least one item.');
    // Leaves space for one token of the response.
    const most = engine.options.config.maxModelLen - 1;
    const tokensOf = async (part: string | readonly number[]): Promise<readonly number[]> => {
      if (typeof part !== 'string') return part;
      checkPromptText(engine, part);
      return engine.prompts.encode(part, { tokensMax: most });
    };
    const query = await tokensOf(request.query ?? '');
    const prompts: PromptPlan[] = [];
    for (const item of items) {
      const own = await tokensOf(item);
      const tokens = request.item_first ? [...own, ...query] : [...query, ...own];
      prompts.push({ tokens: tokens.slice(0, most), maxTokens: 1 });
    }
    for (const { tokens } of prompts) {
      const asked = { logprob_token_ids: labels };
      admitToEngine(engine, { request: asked, logprobs: labels.length, prompt: tokens });
    }
    const id = requestId(exchange, 'generative-scoring', request.request_id);
    const promptTokens = prompts.reduce((total, { tokens }) => total + tokens.length, 0);
    const send = () => {
      const data = items.map((_, index) => ({
        index,
        object: 'score',
        score: score(engine, labels, request.apply_softmax !== false),
      }));
      const usage = {
        prompt_tokens: promptTokens,
        total_tokens: promptTokens + items.length,
        completion_tokens: items.length,
        prompt_tokens_details: null,
        completion_tokens_details: null,
      };
      const model = engine.responseModelName(request.model);
      const body = { id, object: 'list', created: createdSeconds(), model, data, usage };
      exchange.sendJson(200, JSON.stringify(body));
    };
    let open = prompts.length;
    startGeneration({
      ...{ engine, exchange, id, prompts, isStream: false },
      request: {
        ...{ ignore_eos: true, model: request.model },
        ...{ cache_salt: request.cache_salt, priority: request.priority },
      },
      writer: {
        start: () => {},
        onDelta: () => {
          if (--open === 0) send();
        },
      },
    });
  };
}

/** @throws {ApiError} 400 if a label is not a token of the model, or there are none. */
function checkLabels(engine: EmbeddedEngine, labels: readonly number[]): void {
  const outside = labels.find((id) => id < 0 || id >= engine.vocabularySize);
  if (outside !== undefined) {
    throw badRequest(
      `label_token_id ${outside} is out of vocabulary range [0, ${engine.vocabularySize}). Please provide valid token IDs.`,
    );
  }
  if (labels.length === 0) {
    throw badRequest('label_token_ids must contain at least one token ID.');
  }
}

/** The share of the first label among all labels, or its own probability. */
function score(engine: EmbeddedEngine, labels: readonly number[], isAmongLabels: boolean): number {
  const weights = labels.map((id) => Math.exp(ownLogprob(engine.tokenizer, id).logprob));
  const [first = 0] = weights;
  return isAmongLabels ? first / weights.reduce((total, weight) => total + weight, 0) : first;
}
