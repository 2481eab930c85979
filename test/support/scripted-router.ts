// A router on a real socket, for what asks routers: models, chats, completions, vectors, streams, metrics.
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';

export interface RouterScript {
  readonly models?: readonly string[];
  /** Text of every completion. */
  text?: string;
  /** Text of every chat. @default that of completions */
  chatText?: string;
  /** What the models return. @default 'text' */
  readonly kind?: 'text' | 'vectors' | 'scores';
  /** The response to chats, with status 400. @default they are served */
  readonly chatRefusal?: string;
  /** Engines that respond in turns; without any, responses do not name their engine. */
  engines?: readonly { readonly url: string; readonly name?: string }[];
  /** Status of all completions. @default 200 */
  status?: number;
  /** The key that all requests need. */
  readonly apiKey?: string;
  /** Ends streams without `[DONE]`. */
  readonly cutsStreams?: boolean;
  readonly metrics?: string;
  /** @default '127.0.0.1' */
  readonly host?: string;
  readonly port?: number;
}

export interface ScriptedRouter {
  readonly url: string;
  readonly port: number;
  /** Method and path of all requests so far. */
  readonly received: readonly string[];
}

function routesOf({ kind = 'text' }: RouterScript): readonly string[] {
  if (kind === 'vectors') return ['/v1/embeddings'];
  return kind === 'scores' ? ['/v1/score'] : ['/v1/chat/completions', '/v1/completions'];
}

/** Starts a router that is closed when the test ends. The script may be changed meanwhile. */
export async function scriptedRouter(
  t: { after(close: () => Promise<void>): void },
  script: RouterScript = {},
): Promise<ScriptedRouter> {
  const { models = ['m'], host = '127.0.0.1', port: wanted = 0, metrics = 'vllm:x 1\n' } = script;
  const received: string[] = [];
  let turn = 0;
  const server: Server = createServer((request, response) => {
    received.push(`${request.method} ${request.url}`);
    const json = (status: number, body: object) =>
      response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(body));
    if (script.apiKey && request.headers.authorization !== `Bearer ${script.apiKey}`) {
      json(401, { error: { message: 'no key' } });
    } else if (request.url === '/v1/models') json(200, { data: models.map((id) => ({ id })) });
    else if (request.url === '/metrics') response.end(metrics);
    else if (!routesOf(script).includes(request.url ?? '')) json(404, { detail: 'Not Found' });
    else {
      const { engines = [], text = ' Paris.' } = script;
      const engine = engines[turn++ % engines.length];
      if (engine !== undefined) response.setHeader('x-spillway-engine', engine.url);
      if (engine?.name !== undefined) response.setHeader('x-spillway-engine-name', engine.name);
      let body = '';
      request.on('data', (bytes) => {
        body += bytes;
      });
      request.on('end', () => {
        if (script.status) return json(script.status, { error: { message: 'broken' } });
        if (request.url === '/v1/chat/completions') {
          const { chatRefusal, chatText = text } = script;
          if (chatRefusal) return json(400, { error: { message: chatRefusal } });
          return json(200, { choices: [{ message: { role: 'assistant', content: chatText } }] });
        }
        if (request.url !== '/v1/completions') return json(200, { data: [{}] });
        const { stream } = JSON.parse(body) as { readonly stream?: boolean };
        if (!stream) return json(200, { choices: [{ text }] });
        response.writeHead(200, { 'content-type': 'text/event-stream' });
        for (const piece of text.split(/(?= )/)) {
          response.write(`data: ${JSON.stringify({ choices: [{ text: piece }] })}\n\n`);
        }
        return response.end(script.cutsStreams ? '' : 'data: [DONE]\n\n');
      });
    }
  });
  await new Promise<void>((resolve) => server.listen(wanted, host, resolve));
  const { port } = server.address() as AddressInfo;
  t.after(
    () =>
      new Promise<void>((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  );
  return { url: `http://${host}:${port}`, port, received };
}
