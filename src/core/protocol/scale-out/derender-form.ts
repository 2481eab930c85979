// The place of an issue in a body that may have one of several forms.
import { ApiError } from '../openai/api-error.ts';
import { isSchemaError } from '../openai/schema.ts';

/** Puts the name of the form into the paths of the issues, as Pydantic does for one of several. */
export function readForm<T>(name: string, read: () => T): T {
  try {
    return read();
  } catch (error) {
    if (!(error instanceof ApiError) || !isSchemaError(error)) throw error;
    const message = error.message.replaceAll(/'loc': 'body(?=['.])/g, `'loc': 'body.${name}`);
    const param = error.param?.replace(/^body/, `body.${name}`) ?? null;
    throw new ApiError(error.httpStatus, error.type, message, { param });
  }
}
