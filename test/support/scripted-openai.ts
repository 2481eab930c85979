// A small OpenAI-compatible server with scripted responses, for tests of clients.
import { createServer, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

/** The fields of a completion request that scripts read. */
export interface ScriptedRequest {
  readonly path: string;
  /** The header of the request. */
  readonly authorization?: string;
  readonly max_tokens: number;
  readonly min_tokens: number;
  readonly ignore_eos: boolean;
  readonly prompt?: string | readonly number[];
  readonly messages?: readonly { readonly role: string; readonly content: string }[];
}

export interface ScriptedOpenai {
  /** Base URL, ending in /v1. */
  readonly url: string;
  /** Completion requests so far. */
  readonly requests: readonly ScriptedRequest[];
  /** Number of responses in progress. */
  readonly open: () => number;
  close(): Promise<void>;
}

/**
 * Serves the model "scripted".
 *
 * @param options.gapMs Time between two tokens; with Infinity only the first token arrives.
 */
export async function scriptedOpenai(options: { readonly gapMs: number }): Promise<ScriptedOpenai> {
  const requests: ScriptedRequest[] = [];
  let open = 0;
  const server = createServer((request, response) => {
    if (request.url === '/v1/models') {
      response.end('{"data":[{"id":"scripted","max_model_len":100000}]}');
      return;
    }
    if (request.url === '/version') {
      response.end('{"version":"0.0.0"}');
      return;
    }
    if (request.method === 'GET') {
      response.writeHead(404).end();
      return;
    }
    let body = '';
    request.setEncoding('utf8').on('data', (text: string) => {
      body += text;
    });
    request.on('end', () => {
      const { authorization } = request.headers;
      const parsed = { ...JSON.parse(body), path: request.url, authorization } as ScriptedRequest;
      requests.push(parsed);
      open++;
      response.once('close', () => open--);
      stream(response, parsed, options.gapMs);
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/v1`,
    requests,
    open: () => open,
    close() {
      server.closeAllConnections();
      return new Promise((resolve) => server.close(() => resolve()));
    },
  };
}

function stream(response: ServerResponse, request: ScriptedRequest, gapMs: number): void {
  response.writeHead(200, {
    'content-type': 'text/event-stream',
    'x-spillway-engine': `http://engine-${request.max_tokens % 2}`,
    'x-spillway-engine-name': `scripted-${request.max_tokens % 2}`,
    'x-spillway-emulated': 'true',
  });
  let sent = 0;
  const token = () => {
    response.write(event({ choices: [{ index: 0, delta: { content: ' word' } }] }));
    if (++sent < request.max_tokens) return;
    clearInterval(timer);
    const usage = {
      prompt_tokens: 1000,
      completion_tokens: sent,
      prompt_tokens_details: { cached_tokens: 250 },
    };
    response.end(`${event({ choices: [], usage })}data: [DONE]\n\n`);
  };
  const timer = setInterval(token, Number.isFinite(gapMs) ? gapMs : 1 << 30);
  response.once('close', () => clearInterval(timer));
  token();
}

function event(json: unknown): string {
  return `data: ${JSON.stringify(json)}\n\n`;
}
