// The body of POST /v1/systemone: a state, and questions about it.
import { checkCacheSalt } from '../openai/raw-checks.ts';
import {
  anything,
  dictionary,
  integer64,
  list,
  notNull,
  nullable,
  type Parser,
  type Read,
  readBody,
  string,
} from '../openai/schema.ts';

/** A question as the client sent it. */
export interface QuestionSpec {
  readonly type?: string | null | undefined;
  readonly instructions?: unknown;
  readonly criteria?: unknown;
}

/** A question; fields that its type does not define are refused later. */
const questionField: Parser<QuestionSpec> = (value, loc, issues) => {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    const msg = 'Input should be a valid dictionary or object to extract fields from';
    issues.push({ type: 'model_attributes_type', loc, msg, input: value });
    return undefined;
  }
  const given = value as QuestionSpec;
  if (given.type === undefined) {
    issues.push({ type: 'missing', loc: `${loc}.type`, msg: 'Field required', input: value });
  } else string(given.type, `${loc}.type`, issues);
  return given;
};

const fields = {
  model: string,
  state: nullable(anything),
  questions: notNull(dictionary(questionField)),
  instructions: string,
  images: list(notNull(string)),
  audio: list(notNull(string)),
  videos: list(notNull(string)),
  chat_template_kwargs: dictionary(anything),
  cache_salt: string,
  priority: notNull(integer64),
  request_id: notNull(string),
} as const;

export type DecisionRequest = Read<typeof fields>;

/** @throws {ApiError} 400, as Pydantic in vLLM reports it. */
export function readDecisionRequest(body: unknown): DecisionRequest {
  checkCacheSalt(body);
  return readBody(body, fields, ['state', 'questions']);
}
