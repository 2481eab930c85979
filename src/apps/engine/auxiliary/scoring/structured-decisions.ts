// POST /v1/systemone: questions about a state, answered from the probabilities of their labels as
// the next token. Each question runs through the engine for one token; the probabilities are
// synthetic.
import {
  ApiError,
  badRequest,
  type DecisionRequest,
  isTruthy,
  readDecisionRequest,
} from '../../../../core/api/index.ts';
import { chatPrompt } from '../../chat/chat-prompt.ts';
import { fittingPrompt } from '../../generation/limits.ts';
import { createdSeconds } from '../../generation/response-writer.ts';
import { checkModel } from '../../generation/server-checks.ts';
import { startGeneration } from '../../generation/start-generation.ts';
import type { Exchange } from '../../http/exchange.ts';
import { requestId } from '../../http/request-id.ts';
import type { Handler } from '../../http/server.ts';
import type { EmbeddedEngine } from '../../runtime/embedded-engine.ts';
import { ownLogprob } from '../../text/logprobs.ts';
import { type Question, questionOf } from './questions.ts';

/** vLLM's limit for models that answer with their next token. */
const questionsMax = 64;

export function structuredDecisionsRoute(engine: EmbeddedEngine): Handler {
  return async (exchange) => {
    const request = readDecisionRequest(await exchange.json());
    checkModel(engine, request.model);
    const questions = questionsOf(request);
    checkMedia(request);
    engine.checkAdmission(questions.length);
    if (isTruthy(request.chat_template_kwargs?.['enable_thinking'])) {
      throw badRequest("a read is the reply's first token, so thinking must be off");
    }
    const prompts: (readonly number[])[] = [];
    for (const question of questions) prompts.push(await promptOf(engine, request, question));
    respond(engine, exchange, { request, questions, prompts });
  };
}

function questionsOf({ questions }: DecisionRequest): readonly Question[] {
  const given = Object.entries(questions ?? {});
  if (given.length === 0) throw badRequest('questions: needs at least one question');
  if (given.length > questionsMax) {
    throw badRequest(`questions: at most ${questionsMax} for this model`);
  }
  return given.map(([id, spec]) => questionOf(id, spec));
}

/** @throws {ApiError} 400 for media, which a text model does not support. */
function checkMedia({ images, audio, videos }: DecisionRequest): void {
  const media = { audio, image: images, video: videos };
  const given = Object.entries(media).filter(([, items]) => (items?.length ?? 0) > 0);
  if (given.length === 0) return;
  const names = given.map(([name]) => name).join(', ');
  throw badRequest(`this model does not take ${names} inputs`);
}

async function promptOf(
  engine: EmbeddedEngine,
  request: DecisionRequest,
  { text }: Question,
): Promise<readonly number[]> {
  const { state, instructions, chat_template_kwargs: kwargs } = request;
  const written = typeof state === 'string' ? state : pythonJson(state);
  const tokens = await chatPrompt(engine, {
    messages: [
      ...(instructions ? [{ role: 'system', content: instructions }] : []),
      { role: 'user', content: `${written}\n\n${text}` },
    ],
    chat_template_kwargs: { enable_thinking: false, ...kwargs },
  });
  const lengths = { maxTokens: 1, maxTokensName: '', truncateTo: null, truncationSide: null };
  return fittingPrompt(engine, tokens, lengths, true);
}

/** Writes JSON like Python's json.dumps: with a space after commas and colons. */
function pythonJson(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map(pythonJson).join(', ')}]`;
  if (typeof value !== 'object' || value === null) return JSON.stringify(value ?? null);
  const pairs = Object.entries(value).map(
    ([key, one]) => `${JSON.stringify(key)}: ${pythonJson(one)}`,
  );
  return `{${pairs.join(', ')}}`;
}

function respond(
  engine: EmbeddedEngine,
  exchange: Exchange,
  given: {
    readonly request: DecisionRequest;
    readonly questions: readonly Question[];
    readonly prompts: readonly (readonly number[])[];
  },
): void {
  const { request, questions, prompts } = given;
  const id = requestId(exchange, 'decision', request.request_id);
  const reads = questions.map(({ labels }) => readLabels(engine, labels));
  const send = () => {
    const body = {
      id,
      object: 'structured_decision',
      created: createdSeconds(),
      model: engine.responseModelName(request.model),
      answers: Object.fromEntries(
        questions.map((question, i) => {
          const { shares = [], mass = 0 } = reads[i] ?? {};
          return [question.id, question.answer(shares, mass)];
        }),
      ),
      usage: {
        input_tokens: prompts.reduce((total, { length }) => total + length, 0),
        output_tokens: prompts.length,
      },
      diagnostics: Object.fromEntries(
        questions.map((question, i) => [
          question.id,
          { label_mass: reads[i]?.mass ?? 0, argmax_is_label: false },
        ]),
      ),
    };
    exchange.sendJson(200, JSON.stringify(body));
  };
  let open = prompts.length;
  startGeneration({
    ...{ engine, exchange, id, isStream: false },
    prompts: prompts.map((tokens) => ({ tokens, maxTokens: 1 })),
    request: {
      ...{ ignore_eos: true, model: request.model, cache_salt: request.cache_salt },
      priority: request.priority,
    },
    writer: {
      start: () => {},
      onDelta: () => {
        if (--open === 0) send();
      },
    },
  });
}

/** Returns the share of each label among the labels, and their total probability. */
function readLabels(
  engine: EmbeddedEngine,
  labels: readonly string[],
): { readonly shares: readonly number[]; readonly mass: number } {
  const weights = labels.map((label) => {
    const [token] = engine.tokenizer.encode(label, { addSpecialTokens: false });
    if (token === undefined) throw new ApiError(500, 'InternalServerError', '');
    return Math.exp(ownLogprob(engine.tokenizer, token).logprob);
  });
  const total = weights.reduce((sum, weight) => sum + weight, 0);
  // Chosen individually, each label has a probability near 1; together they cannot exceed 1.
  return { shares: weights.map((weight) => weight / total), mass: total / labels.length };
}
