// Small HTTP servers that take and return JSON: LMCache's coordinator and controller.
import type { IncomingMessage, Server, ServerResponse } from 'node:http';
import { z } from 'zod';
import { pageProblem } from '../browser-guard/index.ts';
import { createServer } from '../node-http/index.ts';

/** Largest body: an event of a server has some hundred bytes for each chunk, and a token up to eleven. */
const bodyBytesMax = 16 << 20;
/** Faults of a body that an error names. */
const issuesShownMax = 3;
const requestTimeoutMs = 10_000;
const connectionsMax = 1024;

export interface Answer {
  readonly status: number;
  readonly body?: unknown;
}

/** @param route Throws a `ZodError` or `SyntaxError` if the body is not what it takes. */
export type JsonRoute = (request: IncomingMessage, body: string) => Answer | Promise<Answer>;

/** Errors become `{detail}`: 422 for bodies that a route does not take, otherwise 500. */
export function createJsonServer(route: JsonRoute): Server {
  const server = createServer({ requestTimeout: requestTimeoutMs }, (request, response) => {
    void respond(route, request, response);
  });
  server.maxConnections = connectionsMax;
  return server;
}

async function respond(
  route: JsonRoute,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  let answer: Answer;
  const problem = pageProblem(request);
  try {
    if (problem !== undefined) request.resume();
    const body = problem === undefined ? await bodyOf(request) : '';
    answer =
      problem !== undefined
        ? { status: 403, body: { detail: problem } }
        : body === undefined
          ? { status: 413, body: { detail: `The body has more than ${bodyBytesMax} bytes.` } }
          : await route(request, body);
  } catch (error) {
    if (response.destroyed) return;
    const isOurs = error instanceof z.ZodError || error instanceof SyntaxError;
    const detail =
      error instanceof z.ZodError
        ? shortError(error)
        : error instanceof Error
          ? error.message
          : String(error);
    answer = { status: isOurs ? 422 : 500, body: { detail } };
  }
  const text = answer.body === undefined ? undefined : JSON.stringify(answer.body);
  response.writeHead(
    answer.status,
    text === undefined ? {} : { 'content-type': 'application/json' },
  );
  response.end(text);
}

function shortError(error: z.ZodError): string {
  const shown = new z.ZodError(error.issues.slice(0, issuesShownMax));
  const rest = error.issues.length - shown.issues.length;
  return z.prettifyError(shown) + (rest > 0 ? `\nand ${rest} more` : '');
}

/** Undefined for one that is too large. */
async function bodyOf(request: IncomingMessage): Promise<string | undefined> {
  const parts: Buffer[] = [];
  let bytes = 0;
  for await (const part of request as AsyncIterable<Buffer>) {
    bytes += part.length;
    if (bytes <= bodyBytesMax) parts.push(part);
  }
  return bytes > bodyBytesMax ? undefined : Buffer.concat(parts).toString('utf8');
}
