// POST /v1/systemone: structured decisions, as far as a request can be refused; none is made.
import {
  ApiError,
  anything,
  badRequest,
  dictionary,
  object,
  readBody,
  string,
} from '../../../core/protocol/index.ts';
import type { Engine } from '../engine.ts';
import { checkModel } from '../generation/check-model.ts';
import type { Handler } from '../http/server.ts';

const fields = {
  model: string,
  state: anything,
  questions: dictionary(object({ type: string })),
} as const;

/** vllm/entrypoints/generate/structured_decisions/question_types.py */
const questionTypes: ReadonlySet<string> = new Set(['choice', 'noul', 'score']);

export function structuredDecisionsRoute(engine: Engine): Handler {
  return async (exchange) => {
    const request = readBody(await exchange.json(), fields, ['state', 'questions']);
    checkModel(engine, request.model);
    const questions = Object.values(request.questions ?? {});
    if (questions.length === 0) throw badRequest('questions: needs at least one question');
    const unknown = questions.find(({ type }) => type != null && !questionTypes.has(type));
    if (unknown) {
      throw badRequest(
        `unknown question type '${unknown.type}'; supported: ['choice', 'noul', 'score']`,
      );
    }
    throw new ApiError(
      501,
      'NotImplementedError',
      'The model does not support the structured decision API',
    );
  };
}
