// Checks a client's bearer token.
import type { RequestHead } from '../../../io/http/index.ts';

/** Knows the keys that are right. */
export interface KeyCheck {
  isRight(given: string): boolean;
}

/** Paths that stay open with an API key: probes and scrapers have none. */
const openPaths: ReadonlySet<string> = new Set(['/health', '/livez', '/version', '/metrics']);

/** Returns whether a path is served without a key. */
export function isOpenPath(path: string): boolean {
  return openPaths.has(path);
}

/**
 * Returns whether a request to a path is allowed. Without a key, every request is. The key comes as
 * `Authorization: Bearer KEY`, in any case of the scheme, or as `X-Api-Key: KEY`.
 *
 * @param pagePaths Paths of the web page's files, which need no key.
 */
export function apiKeyCheck(
  keys: KeyCheck | undefined,
  pagePaths: ReadonlySet<string> = new Set(),
): (head: RequestHead, path: string) => boolean {
  if (keys === undefined) return () => true;
  return (head, path) => {
    const isOpen = openPaths.has(path) || pagePaths.has(path);
    // A body would be buffered before the route is found, so it needs a key on any path.
    if (isOpen && head.contentLength === 0) return true;
    const given = keyOf(head);
    return given !== undefined && keys.isRight(given);
  };
}

/** The key that a request has. */
export function keyOf({ headers }: RequestHead): string | undefined {
  return bearerToken(headers.get('authorization')) ?? headers.get('x-api-key');
}

/** The token of an `Authorization` header; the scheme's case does not count (RFC 9110 §11.1). */
function bearerToken(authorization: string | undefined): string | undefined {
  const scheme = 'bearer ';
  if (authorization?.slice(0, scheme.length).toLowerCase() !== scheme) return undefined;
  return authorization.slice(scheme.length).trim();
}
