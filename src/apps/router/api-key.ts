// Checks a client's bearer token.
import type { RequestHead } from '../../io/http/index.ts';
import { secretCheck } from '../../io/secrets/index.ts';

/** Paths that stay open with an API key: probes and scrapers have none. */
const openPaths: ReadonlySet<string> = new Set(['/health', '/version', '/metrics']);

/** Returns whether a request to a path is allowed; without a key every one is. */
export function apiKeyCheck(
  apiKey: string | undefined,
): (head: RequestHead, path: string) => boolean {
  if (apiKey === undefined) return () => true;
  const isRight = secretCheck(`Bearer ${apiKey}`);
  return (head, path) => {
    if (openPaths.has(path)) return true;
    const given = head.headers.get('authorization');
    return given !== undefined && isRight(given);
  };
}
