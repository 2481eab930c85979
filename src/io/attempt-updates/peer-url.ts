// Parses the URL of a peer router.
import { InputError, withoutCredentials } from '../../core/base/index.ts';

export interface PeerUrl {
  /** Without a trailing slash. */
  readonly url: string;
  /** Host name to resolve; IPv6 without its brackets. */
  readonly hostname: string;
  readonly port: number;
  /** Path before the router's own, or empty. */
  readonly basePath: string;
  /** For the Host header. */
  readonly host: string;
}

/**
 * Reads a router's URL.
 *
 * @throws {InputError} If it is invalid, or has a part that a router's URL cannot have: a user, a query.
 * @example parsePeerUrl('http://spillway-routers:8000').port; // 8000
 */
export function parsePeerUrl(text: string): PeerUrl {
  const parsed = URL.canParse(text) ? new URL(text) : undefined;
  const plain = parsed && !(parsed.username || parsed.password || parsed.search || parsed.hash);
  if (parsed === undefined || !plain || !/^https?:$/.test(parsed.protocol)) {
    throw new InputError(
      `"${withoutCredentials(text)}" is not a router's URL: it must look like http://routers:8000, without credentials.`,
    );
  }
  const basePath = parsed.pathname.replace(/\/+$/, '');
  return {
    url: `${parsed.protocol}//${parsed.host}${basePath}`,
    hostname: parsed.hostname.replace(/^\[|\]$/g, ''),
    port: Number(parsed.port) || (parsed.protocol === 'https:' ? 443 : 80),
    basePath,
    host: parsed.host,
  };
}
