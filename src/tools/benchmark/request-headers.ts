// The headers of a load's requests.
import { validateHeaderName, validateHeaderValue } from 'node:http';
import { InputError } from '../../core/base/index.ts';

/** Headers of each request to the server. */
export function headersOf(options: {
  readonly apiKey?: string | undefined;
  readonly headers?: Readonly<Record<string, string>> | undefined;
}): Readonly<Record<string, string>> {
  const { apiKey, headers } = options;
  return { ...(apiKey === undefined ? {} : { authorization: `Bearer ${apiKey}` }), ...headers };
}

/**
 * Returns headers as the lines of a request's head.
 *
 * @throws {InputError} If a name or a value is not allowed in a header.
 */
export function headerLines(headers: Readonly<Record<string, string>>): string {
  let lines = '';
  for (const [name, value] of Object.entries(headers)) {
    try {
      validateHeaderName(name);
      validateHeaderValue(name, value);
    } catch (error) {
      throw new InputError(`The header ${name} cannot be sent: ${(error as Error).message}.`, {
        cause: error,
      });
    }
    lines += `${name}: ${value}\r\n`;
  }
  return lines;
}
