// Parses the URL of an engine as a user wrote it.
import { InputError } from '../../core/base/index.ts';

/**
 * Returns the URL without trailing slashes, which is the name of the engine.
 *
 * @throws {InputError} If it is not the URL of an engine.
 * @example endpointUrl('http://10.0.0.7:8000/'); // 'http://10.0.0.7:8000'
 */
export function endpointUrl(text: string): string {
  const parsed = URL.canParse(text) ? new URL(text) : undefined;
  if (parsed === undefined || !/^https?:$/.test(parsed.protocol) || parsed.hostname === '') {
    throw new InputError(`"${text}" is not an engine URL: it must look like http://host:8000.`);
  }
  return text.replace(/\/+$/, '');
}
