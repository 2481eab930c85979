// Routes that change a server, which web pages may not ask: vLLM's default lets pages of every origin use all routes.
import { pageProblem } from '../../../io/browser-guard/index.ts';
import type { Handler, Routes } from '../http/server.ts';

/** The same routes, but 403 for what may come from a web page. */
export function guarded(routes: Routes): Routes {
  return Object.fromEntries(
    Object.entries(routes).map(([path, methods]) => [path, mapped(methods)]),
  );
}

function mapped(methods: Readonly<Record<string, Handler>>): Record<string, Handler> {
  return Object.fromEntries(
    Object.entries(methods).map(([method, handler]) => [method, guardedHandler(handler)]),
  );
}

function guardedHandler(handler: Handler): Handler {
  return (exchange) => {
    const problem = pageProblem(exchange.request);
    if (problem === undefined) return handler(exchange);
    exchange.sendJson(403, JSON.stringify({ error: problem }));
  };
}
