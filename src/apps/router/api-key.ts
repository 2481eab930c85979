// Checks a client's bearer token.
import { createHash, timingSafeEqual } from 'node:crypto';
import type { RequestHead } from '../../io/http/index.ts';

/** Paths that stay open with an API key: probes and scrapers have none. */
const openPaths: ReadonlySet<string> = new Set(['/health', '/version', '/metrics']);

/** Returns a check that takes the same time however much of a wrong token is right. */
export function apiKeyCheck(
  apiKey: string | undefined,
): (head: RequestHead, path: string) => boolean {
  if (apiKey === undefined) return () => true;
  const digest = (text: string) => createHash('sha256').update(text).digest();
  const wanted = digest(`Bearer ${apiKey}`);
  return (head, path) => {
    if (openPaths.has(path)) return true;
    const given = head.headers.get('authorization');
    return given !== undefined && timingSafeEqual(digest(given), wanted);
  };
}
