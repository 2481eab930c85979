// The URL of an engine as a user wrote it: what it is known by, and its credentials, which appear nowhere else.
import { InputError } from './errors.ts';

export interface EngineAddress {
  /** Without credentials and trailing slashes: the name of the engine. */
  readonly url: string;
  /** Value of `Authorization`, from the user and the password in the URL; undefined without them. */
  readonly authorization: string | undefined;
  /** What was changed about the URL, as a sentence; undefined if nothing. */
  readonly note: string | undefined;
}

/**
 * Reads the URL of an engine.
 *
 * A path that ends in `/v1` is the base URL of OpenAI's clients; `/v1` is part of the paths that are requested.
 *
 * @throws {InputError} If it is not the URL of an engine. The message has no credentials.
 * @example
 * engineAddress('http://10.0.0.7:8000/').url; // 'http://10.0.0.7:8000'
 * engineAddress('http://ann:key@gateway/vllm/v1'); // { url: 'http://gateway/vllm', authorization: 'Basic YW5uOmtleQ==', … }
 */
export function engineAddress(text: string): EngineAddress {
  const given = text.trim();
  const parsed = URL.canParse(given) ? new URL(given) : undefined;
  const shown = withoutCredentials(given);
  const isEngine =
    parsed !== undefined && /^https?:$/.test(parsed.protocol) && /^https?:\/\/./i.test(given);
  if (!isEngine) {
    throw new InputError(`"${shown}" is not an engine URL: it must look like http://host:8000.`);
  }
  if (parsed.search !== '' || parsed.hash !== '') {
    throw new InputError(
      `"${shown}" is not an engine URL: it must end before the "${parsed.search === '' ? '#' : '?'}".`,
    );
  }
  const whole = shown.replace(/\/+$/, '');
  const url = whole.replace(/(?<=[^/])\/v1$/, '');
  const isCut = url !== whole;
  return {
    url,
    authorization: basicAuthorization(parsed),
    note: isCut
      ? `engine URL ${whole}: used as ${url}, since requests have /v1 in their path`
      : undefined,
  };
}

/** `Authorization` for the user and the password in a URL; undefined without them. */
export function basicAuthorization(url: Pick<URL, 'username' | 'password'>): string | undefined {
  const { username, password } = url;
  if (username === '' && password === '') return undefined;
  const bytes = new TextEncoder().encode(`${decoded(username)}:${decoded(password)}`);
  return `Basic ${btoa(String.fromCharCode(...bytes))}`;
}

/**
 * A URL for `fetch`, which refuses one with credentials, and the header that has them.
 *
 * @throws {TypeError} If it is no URL.
 */
export function fetchable(text: string): {
  readonly url: string;
  readonly headers: Readonly<Record<string, string>>;
} {
  const authorization = basicAuthorization(new URL(text));
  const headers = authorization === undefined ? {} : { authorization };
  return { url: withoutCredentials(text), headers };
}

/**
 * A URL, or a text that was meant as one, without its user and password.
 *
 * @example withoutCredentials('redis://ann:key@host:6379'); // 'redis://host:6379'
 */
export function withoutCredentials(text: string): string {
  // Any number of slashes makes a URL of http.
  const scheme = /^\s*(?:https?:[/\\]*|[a-z][a-z0-9+.-]*:[/\\]{1,2})?/i;
  const [start] = scheme.exec(text) as RegExpExecArray;
  const rest = text.slice(start.length);
  // What is no URL may have a password with any character.
  return start + rest.replace(URL.canParse(text) ? /^[^/?#\\]*@/ : /^.*@/s, '');
}

/**
 * A sentence without the credentials of the URLs in it.
 *
 * @example withoutLogins('http://ann:key@a and redis://b'); // 'http://a and redis://b'
 */
export function withoutLogins(text: string): string {
  // Our own sentences show where they are written.
  return text.replace(/(https?:[/\\]*|:\/\/)(?!\[?USER:PASSWORD@)[^\s/?#"'`]*@/gi, '$1');
}

function decoded(part: string): string {
  try {
    return decodeURIComponent(part);
  } catch {
    return part;
  }
}
