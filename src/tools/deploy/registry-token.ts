// How a registry lets a client in: by user and password, or by a token that its authorization server gives out.
import type { IncomingMessage } from 'node:http';
import { basicAuthorization, type RegistryLogin } from '../../core/deploy/index.ts';
import { textAt } from '../../core/kubernetes/index.ts';

const tokenBytesMax = 1 << 20;

export interface TokenRequest {
  /** Undefined to ask for what anybody may read. */
  readonly login: RegistryLogin | undefined;
  /** Whether the registry is asked without TLS; only then may the login go to an authorization server without TLS. */
  readonly isPlain: boolean;
  readonly get: (url: URL, headers: Readonly<Record<string, string>>) => Promise<IncomingMessage>;
}

/**
 * Returns the value of the header `authorization` that a registry asks for with status 401; undefined if there is none.
 *
 * @param challenge Its header `www-authenticate`.
 * @throws {NoResponseError} If the authorization server does not respond.
 * @see https://distribution.github.io/distribution/spec/auth/token/
 */
export async function authorizationFor(
  challenge: string,
  { login, isPlain, get }: TokenRequest,
): Promise<string | undefined> {
  const basic = login && basicAuthorization(login);
  if (/^basic\b/i.test(challenge)) return basic;
  const url = tokenUrl(challenge);
  if (url === undefined || (basic !== undefined && url.protocol !== 'https:' && !isPlain)) {
    return undefined;
  }
  const response = await get(url, basic === undefined ? {} : { authorization: basic });
  const token = response.statusCode === 200 ? tokenIn(await textOf(response)) : '';
  response.destroy();
  return token === '' ? undefined : `Bearer ${token}`;
}

/** Where the token is given out; undefined if the challenge is of another kind. */
function tokenUrl(challenge: string): URL | undefined {
  if (!/^bearer\b/i.test(challenge)) return undefined;
  const parameters = new Map(
    [...challenge.matchAll(/(\w+)="([^"]*)"/g)].map(([, name = '', value = '']) => [name, value]),
  );
  const url = URL.parse(parameters.get('realm') ?? '');
  if (url === null || !/^https?:$/.test(url.protocol)) return undefined;
  for (const name of ['service', 'scope']) {
    const value = parameters.get(name);
    if (value !== undefined) url.searchParams.append(name, value);
  }
  return url;
}

function tokenIn(text: string): string {
  try {
    const body: unknown = JSON.parse(text);
    const token = textAt(body, 'token') || textAt(body, 'access_token');
    return /^[\w.~+/=-]+$/.test(token) ? token : '';
  } catch {
    return '';
  }
}

/** '' if it breaks off, or is too long to be a token. */
async function textOf(response: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  try {
    for await (const chunk of response as AsyncIterable<Buffer>) {
      bytes += chunk.length;
      if (bytes > tokenBytesMax) return '';
      chunks.push(chunk);
    }
  } catch {
    return '';
  }
  return Buffer.concat(chunks).toString();
}
