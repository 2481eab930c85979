// The error object of the OpenAI API, with vLLM's contents.
import { SpillwayError } from '../../base/index.ts';

/** A response other than 2xx, thrown where the error is found and sent by the HTTP edge. */
export class ApiError extends SpillwayError {
  override readonly name = 'ApiError';
  readonly code = 'ERR_API';
  readonly httpStatus: number;
  readonly type: string;
  readonly param: string | null;

  constructor(
    httpStatus: number,
    type: string,
    message: string,
    options: { readonly param?: string | null; readonly cause?: unknown } = {},
  ) {
    super(message, options.cause === undefined ? {} : { cause: options.cause });
    this.httpStatus = httpStatus;
    this.type = type;
    this.param = options.param ?? null;
  }

  /** `{"error":{"message","type","param","code"}}`. */
  body(): string {
    return JSON.stringify({
      error: { message: this.message, type: this.type, param: this.param, code: this.httpStatus },
    });
  }
}

/**
 * A refusal by the engine after the server has accepted the request. A stream has started by then,
 * so its client gets status 200 and this error as an event.
 */
export class EngineRefusal extends ApiError {
  constructor({ httpStatus, type, message, param }: ApiError) {
    super(httpStatus, type, message, { param });
  }
}

/** Runs checks that vLLM leaves to its engine. @throws {EngineRefusal} For an ApiError. */
export function inEngine<T>(check: () => T): T {
  try {
    return check();
  } catch (error) {
    throw error instanceof ApiError ? new EngineRefusal(error) : error;
  }
}

/**
 * Returns the error for a value that vLLM's own checks refuse; it includes the parameter if there
 * is one.
 */
export function badRequest(sentence: string, param?: string, value?: string): ApiError {
  const suffix =
    param === undefined
      ? ''
      : value === undefined
        ? ` (parameter=${param})`
        : ` (parameter=${param}, value=${value})`;
  return new ApiError(400, 'BadRequestError', sentence + suffix, { param: param ?? null });
}

/** Returns the error for a model that the server does not serve. */
export function modelNotFound(model: string, served: readonly string[]): ApiError {
  return new ApiError(
    404,
    'NotFoundError',
    `The model \`${model}\` does not exist. Valid aliases: ${served.join(', ')}.`,
    { param: 'model' },
  );
}
