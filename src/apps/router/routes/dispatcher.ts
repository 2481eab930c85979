// Sends each request to its route: checks its key, and responds itself where no route matches.
import type { Cors, CorsHeaders } from '../../../core/cors/index.ts';
import { attemptUpdatesPath } from '../../../io/attempt-updates/index.ts';
import type { BrowserGuard } from '../../../io/browser-guard/index.ts';
import { HttpSyntaxError, type RequestHead, type ServerExchange } from '../../../io/http/index.ts';
import { type RouteMatch, type Routes, RouteTable } from '../../../io/routes/index.ts';
import { secretCheck } from '../../../io/secrets/index.ts';
import { answer, answerError } from '../requests/answer.ts';
import { apiKeyCheck, isOpenPath, type KeyCheck } from './api-key.ts';
import type { RouteHandler } from './router-routes.ts';

export interface DispatcherOptions {
  readonly routes: Routes<RouteHandler>;
  /** Path prefix that a reverse proxy in front of the router adds; empty for none. */
  readonly rootPath: string;
  /** Bearer tokens, one of which clients must send; undefined requires none. */
  readonly keys: KeyCheck | undefined;
  /**
   * Paths of the web page's own files. They have no data, so that they are served without a key: a browser
   * sends none for a page, which then asks for it.
   */
  readonly pagePaths: ReadonlySet<string>;
  /** Bearer token that peer routers must send. */
  readonly peersKey: string | undefined;
  readonly cors: Cors;
  readonly guard: BrowserGuard;
  /** Paths that show the router's state to people. */
  readonly views: ReadonlySet<string>;
}

/** The callbacks of the server for each request. */
export interface Dispatcher {
  /** Called before a body is read, so that a client without a key cannot make the router buffer one. */
  refuseHead(head: RequestHead): HttpSyntaxError | undefined;
  onRequest(exchange: ServerExchange): void;
}

const wrongKey = 'Wrong or missing API key.';

export function dispatcher(options: DispatcherOptions): Dispatcher {
  const { rootPath, cors, guard, views } = options;
  const table = new RouteTable(options.routes);
  const clientAllowed = apiKeyCheck(options.keys, options.pagePaths);
  const { peersKey } = options;
  const peerAllowed = apiKeyCheck(
    peersKey === undefined ? undefined : { isRight: secretCheck(peersKey) },
  );
  const hasPeers = attemptUpdatesPath in options.routes;
  const targetOf = (head: RequestHead): string => {
    const { target } = head;
    return rootPath !== '' && target.startsWith(`${rootPath}/`)
      ? target.slice(rootPath.length)
      : target;
  };
  const isAllowed = (head: RequestHead, path: string): boolean => {
    const allowed = hasPeers && path === attemptUpdatesPath ? peerAllowed : clientAllowed;
    return allowed(head, path);
  };
  return {
    refuseHead(head) {
      const path = pathOf(targetOf(head));
      const reason = guard(head, views.has(path));
      if (reason !== undefined) return new HttpSyntaxError(403, reason);
      return isAllowed(head, path) ? undefined : new HttpSyntaxError(401, wrongKey);
    },
    onRequest(exchange) {
      const arrivedAtMs = performance.now();
      const { head } = exchange;
      exchange.target = targetOf(head);
      const path = pathOf(exchange.target);
      const header = (name: string) => head.headers.get(name);
      if (cors.isPreflight(head.method, header)) {
        const { status, headers, text } = cors.preflight(header);
        answer(exchange, status, 'text/plain; charset=utf-8', text, linesOf(headers));
        return;
      }
      const origin = header('origin');
      if (origin !== undefined) {
        exchange.headerLines = [...linesOf(cors.headers(origin)), 'vary: Origin']
          .map((line) => `${line}\r\n`)
          .join('');
      }
      // A request with a body has been checked before its body was read.
      if (head.contentLength === 0) {
        const reason = guard(head, views.has(path));
        if (reason !== undefined) {
          answerError(exchange, { status: 403, message: reason });
          return;
        }
        // A browser asks for the methods of a route without a key.
        if (head.method !== 'OPTIONS' && !isAllowed(head, path)) {
          answerError(exchange, { status: 401, message: wrongKey });
          return;
        }
      }
      if (exchange.overLimit && !isOpenPath(path)) {
        const message = 'The router has all the client connections that it may have.';
        answerError(exchange, { status: 503, message });
        return;
      }
      const match = table.find(head.method, path);
      const turned = match.kind === 'no-path' ? table.turned(path) : undefined;
      if (match.kind === 'found') match.handler(exchange, arrivedAtMs);
      else if (turned !== undefined) redirect(exchange, `${rootPath}${turned.path}`);
      else refuse(exchange, path, match);
    },
  };
}

function linesOf(headers: CorsHeaders): string[] {
  return headers.map(([name, value]) => `${name}: ${value}`);
}

function pathOf(target: string): string {
  const query = target.indexOf('?');
  return query < 0 ? target : target.slice(0, query);
}

/**
 * Leads to the path that differs in its last slash, as vLLM's framework does. The location has no host: a proxy in front
 * of the router may have another name, and TLS.
 */
function redirect(exchange: ServerExchange, path: string): void {
  const mark = exchange.target.indexOf('?');
  const query = mark < 0 ? '' : exchange.target.slice(mark);
  answer(exchange, 307, 'text/plain; charset=utf-8', '', [`Location: ${path}${query}`]);
}

function refuse(
  exchange: ServerExchange,
  path: string,
  match: Exclude<RouteMatch<RouteHandler>, { readonly kind: 'found' }>,
): void {
  if (match.kind === 'no-path') {
    answerError(exchange, { status: 404, message: `There is no route ${path} here.` });
    return;
  }
  const message = `${exchange.head.method} is not allowed on ${path}.`;
  const allow = `Allow: ${match.allow.join(', ')}`;
  answerError(exchange, { status: 405, message }, undefined, [allow]);
}
