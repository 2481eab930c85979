// A scripted engine on a real socket: it hangs, resets, truncates or responds as a test requires.
import { type AddressInfo, createServer, type Server, type Socket } from 'node:net';

/** A request as the engine received it. */
export interface ReceivedRequest {
  readonly method: string;
  readonly target: string;
  /** Lower-case names. */
  readonly headers: ReadonlyMap<string, string>;
  readonly body: string;
  readonly socket: Socket;
}

export interface ScriptedEngine {
  readonly url: string;
  readonly port: number;
  /** All requests so far, except the router's own (health, models, metrics, events). */
  readonly received: ReceivedRequest[];
  readonly sockets: ReadonlySet<Socket>;
  close(): Promise<void>;
}

export interface Script {
  readonly models?: readonly string[] | (() => readonly string[]);
  /** The key that /v1/models requires, as vLLM does with `--api-key`. */
  readonly apiKey?: string;
  /** The `Authorization` that all its routes require, also /health. */
  readonly authorization?: string;
  /** What it says of its models; `vllm` is what vLLM says. @default 'vllm' */
  readonly owner?: string;
  /** Body of /v1/models instead of a list of `models`. */
  readonly listing?: string;
  /** Responds to a request by writing to its socket; health, models, metrics and KV events have default responses. */
  readonly onRequest?: (request: ReceivedRequest) => void;
  /** Text of /metrics, and of the metrics that are asked for by name. */
  readonly metrics?: () => string;
  /** Status of /health. */
  readonly health?: () => number;
  readonly port?: number;
}

/** Starts an engine. Close it in the test's `after`. */
export async function startScriptedEngine(script: Script = {}): Promise<ScriptedEngine> {
  const { models = ['m'], onRequest = (request) => respond(request.socket, 200, '{"ok":true}') } =
    script;
  const received: ReceivedRequest[] = [];
  const sockets = new Set<Socket>();
  const isRefused = ({ headers }: ReceivedRequest) =>
    script.apiKey !== undefined && headers.get('authorization') !== `Bearer ${script.apiKey}`;
  const serve = (request: ReceivedRequest) => {
    const { target, socket, headers } = request;
    const { authorization, owner = 'vllm' } = script;
    if (authorization !== undefined && headers.get('authorization') !== authorization) {
      respond(socket, 401, '{"error":"Unauthorized"}');
    } else if (target === '/health') respond(socket, script.health?.() ?? 200, '');
    else if (/^\/metrics(\/\?.*)?$/.test(target)) respond(socket, 200, script.metrics?.() ?? '');
    else if (target === '/kv_event_sources') respond(socket, 404, '{"detail":"Not Found"}');
    else if (target === '/v1/models' && isRefused(request)) {
      respond(socket, 401, '{"error":"Unauthorized"}');
    } else if (target === '/v1/models' && script.listing !== undefined) {
      respond(socket, 200, script.listing);
    } else if (target === '/v1/models') {
      const data = (typeof models === 'function' ? models() : models).map((id) => ({
        id,
        object: 'model',
        owned_by: owner,
      }));
      respond(socket, 200, JSON.stringify({ object: 'list', data }));
    } else {
      received.push(request);
      onRequest(request);
    }
  };
  const server: Server = createServer((socket) => {
    sockets.add(socket);
    socket.on('close', () => sockets.delete(socket));
    socket.on('error', () => {});
    let parts: Buffer[] = [];
    let partsBytes = 0;
    /** Bytes of the request that is arriving; 0 while its head is not complete. */
    let requestBytes = 0;
    socket.on('data', (bytes: Buffer) => {
      parts.push(bytes);
      partsBytes += bytes.length;
      if (partsBytes < requestBytes) return;
      let pending = Buffer.concat(parts);
      for (;;) {
        const headEnd = pending.indexOf('\r\n\r\n');
        requestBytes = 0;
        if (headEnd < 0) break;
        const [requestLine = '', ...lines] = pending.toString('latin1', 0, headEnd).split('\r\n');
        const headers = new Map(
          lines.map((line): [string, string] => {
            const colon = line.indexOf(':');
            return [line.slice(0, colon).toLowerCase(), line.slice(colon + 1).trim()];
          }),
        );
        requestBytes = headEnd + 4 + Number(headers.get('content-length') ?? 0);
        if (pending.length < requestBytes) break;
        const body = pending.toString('utf8', headEnd + 4, requestBytes);
        pending = pending.subarray(requestBytes);
        const [method = '', target = ''] = requestLine.split(' ');
        serve({ method, target, headers, body, socket });
      }
      parts = [pending];
      partsBytes = pending.length;
    });
  });
  await new Promise<void>((resolve) => server.listen(script.port ?? 0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  return {
    url: `http://127.0.0.1:${port}`,
    port,
    received,
    sockets,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        for (const socket of sockets) socket.destroy();
      }),
  };
}

/** A whole response with Content-Length. */
export function respond(
  socket: Socket,
  status: number,
  body: string,
  contentType = 'application/json',
): void {
  socket.write(
    `HTTP/1.1 ${status} Status\r\nContent-Type: ${contentType}\r\n` +
      `Content-Length: ${Buffer.byteLength(body)}\r\n\r\n${body}`,
  );
}

/** The head of a chunked event stream. */
export const eventStreamHead =
  'HTTP/1.1 200 OK\r\nContent-Type: text/event-stream; charset=utf-8\r\nTransfer-Encoding: chunked\r\n\r\n';

/** One chunk of a chunked body; an empty text is the last chunk. */
export function chunk(text: string): string {
  return `${Buffer.byteLength(text).toString(16)}\r\n${text}\r\n`;
}
