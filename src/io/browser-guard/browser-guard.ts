// Refuses what a web page could make its visitor's browser do to a server that the page cannot reach itself: requests
// from other origins, and names that the page's owner points at this machine (DNS rebinding).
import { isIP } from 'node:net';
import type { Cors } from '../../core/cors/index.ts';
import { isLoopback } from '../listen/index.ts';

export interface BrowserGuardOptions {
  readonly cors: Pick<Cors, 'allows'>;
  /** Address that the server listens on. */
  readonly host: string;
  /** Further names in `Host`. @default any, unless `host` is a loopback address */
  readonly allowedHosts: readonly string[] | undefined;
  /** How to allow what was refused, behind the sentences. @default the flags of the router */
  readonly hints?: { readonly host: string; readonly origin: string };
  /** Whether names without a dot are known: those of a local network, which the owner of a page cannot register. */
  readonly knowsLocalNames?: boolean;
}

/** What the guard reads of a request. */
export interface GuardedRequest {
  readonly method: string;
  readonly headers: { get(name: string): string | undefined };
}

const routerHints = {
  host: '; add it with --allowed-hosts',
  origin: '; add it with --allowed-origins',
};

/**
 * Returns the reason to refuse a request; undefined accepts it.
 *
 * @param isView Whether the route shows the server's state.
 */
export type BrowserGuard = (request: GuardedRequest, isView: boolean) => string | undefined;

/**
 * A request that changes something or costs time (any but GET and HEAD) is refused if its `Origin` is that of another site:
 * browsers send some of them without asking first. Pages of this machine are allowed. With a loopback address, the
 * views, and requests with an `Origin`, need a `Host` that is an address, a name of this machine or
 * an allowed name, because only `Host` tells a rebound name from a real one.
 */
export function browserGuard(options: BrowserGuardOptions): BrowserGuard {
  const { cors, host, allowedHosts, hints = routerHints, knowsLocalNames = false } = options;
  const what = options.hints === undefined ? 'router' : 'server';
  const checksHosts = allowedHosts !== undefined || isLoopback(host);
  const names = new Set([...(allowedHosts ?? []), host].map((name) => name.toLowerCase()));
  const isKnown = (name: string) =>
    isIP(name) !== 0 ||
    isLoopback(name) ||
    names.has(name) ||
    (knowsLocalNames && !name.includes('.'));
  return (request, isView) => {
    const origin = request.headers.get('origin');
    if (origin === undefined && !isView) return undefined;
    const given = hostnameOf(`http://${request.headers.get('host') ?? ''}`);
    if (checksHosts && given !== undefined && !isKnown(given)) {
      return `The host name "${given}" is not one of this ${what}${hints.host}.`;
    }
    const isRead = request.method === 'GET' || request.method === 'HEAD';
    if (origin === undefined || isRead || cors.allows(origin)) return undefined;
    const from = hostnameOf(origin);
    if (from !== undefined && (from === given || isLoopback(from))) return undefined;
    return `Pages of this origin may not use the ${what}${hints.origin}.`;
  };
}

/** The host of a URL in lower case, without brackets; undefined if it has none. */
function hostnameOf(url: string): string | undefined {
  if (!URL.canParse(url)) return undefined;
  const name = new URL(url).hostname.replace(/^\[|\]$/g, '');
  return name === '' ? undefined : name;
}
