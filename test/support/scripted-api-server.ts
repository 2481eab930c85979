// A Kubernetes API server that a test directs: lists in pages, watches from a version, and every way to fail.
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { createServer as createTlsServer } from 'node:https';
import type { AddressInfo, Socket } from 'node:net';

type KubernetesObject = Readonly<Record<string, unknown>>;

interface Event {
  readonly version: number;
  readonly path: string;
  readonly line: string;
}

interface Watch {
  readonly path: string;
  readonly response: ServerResponse;
}

export interface PodState {
  readonly ip: string;
  readonly isReady?: boolean;
  readonly isTerminating?: boolean;
  readonly labels?: Readonly<Record<string, string>>;
  readonly namespace?: string;
}

/** How requests are treated: `hang` never answers, `stall` sends half of a list. */
export type ApiMode =
  | 'serve'
  | 'hang'
  | 'stall'
  | { readonly status: number; readonly body?: string; readonly retryAfter?: string };

/** Certificate and key of the server, and the token that it wants. */
export interface ApiTls {
  readonly cert: string;
  readonly key: string;
  readonly token: string;
}

/** A request for one object, or one that makes an object in a list. */
export interface ObjectRequest {
  readonly method: string;
  /** Of the list. */
  readonly path: string;
  /** Undefined for one that is to be made. */
  readonly name: string | undefined;
  readonly subresource: string | undefined;
  readonly contentType: string;
  readonly body: string;
}

export interface ObjectResponse {
  readonly status: number;
  readonly body: object;
}

export class ScriptedApiServer {
  mode: ApiMode = 'serve';
  /** Whether watches are told what happens. */
  isTelling = true;
  /** Responds to requests for single objects; without it there are none. */
  onObject: ((request: ObjectRequest) => ObjectResponse) | undefined;
  /** Sends other `continue` tokens than its own; `expired` is a status 410. @param token What the client sent. */
  onContinue: ((token: string | undefined) => string | 'expired' | undefined) | undefined;
  /** Paths of all requests, with their queries. */
  readonly requests: string[] = [];
  /** Header `authorization` of the last request. */
  authorization: string | undefined;
  #version = 100;
  #compactedTo = 0;
  readonly #objects = new Map<string, Map<string, KubernetesObject>>();
  readonly #events: Event[] = [];
  readonly #watches = new Set<Watch>();
  readonly #sockets = new Set<Socket>();
  readonly #tls: ApiTls | undefined;
  readonly #server;

  constructor(tls?: ApiTls) {
    const respond = (request: IncomingMessage, response: ServerResponse) =>
      this.#respond(request, response);
    this.#tls = tls;
    this.#server = tls === undefined ? createServer(respond) : createTlsServer(tls, respond);
  }

  async start(): Promise<this> {
    this.#server.on('connection', (socket) => {
      this.#sockets.add(socket);
      socket.on('close', () => this.#sockets.delete(socket));
    });
    await new Promise<void>((resolve) => this.#server.listen(0, '127.0.0.1', resolve));
    return this;
  }

  async close(): Promise<void> {
    this.cut();
    await new Promise((resolve) => this.#server.close(resolve));
  }

  get url(): string {
    return `${this.#tls ? 'https' : 'http'}://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  /** What `openCluster` would return. */
  get access() {
    return {
      server: this.url,
      requestOptions: async () => ({}),
      refused: () => {},
      close: () => {},
    };
  }

  /** Number of open watches. */
  get watching(): number {
    return this.#watches.size;
  }

  putPod(name: string, state: PodState): void {
    const { ip, isReady = true, isTerminating = false, labels = {}, namespace = 'default' } = state;
    this.put(`/api/v1/namespaces/${namespace}/pods`, {
      kind: 'Pod',
      metadata: {
        ...{ namespace, name, labels, creationTimestamp: '2026-11-23T08:00:00Z' },
        ...(isTerminating && { deletionTimestamp: '2026-11-23T09:00:00Z' }),
      },
      status: {
        phase: 'Running',
        podIP: ip,
        conditions: [{ type: 'Ready', status: isReady ? 'True' : 'False' }],
      },
    });
  }

  removePod(name: string, namespace = 'default'): void {
    this.remove(`/api/v1/namespaces/${namespace}/pods`, name);
  }

  /** @param path Of the list. */
  put(path: string, object: KubernetesObject): void {
    const objects = this.#list(path);
    const { name } = object['metadata'] as { readonly name: string };
    this.#happen(path, objects.has(name) ? 'MODIFIED' : 'ADDED', object, (versioned) => {
      objects.set(name, versioned);
    });
  }

  remove(path: string, name: string): void {
    const objects = this.#list(path);
    const object = objects.get(name);
    if (object === undefined) return;
    this.#happen(path, 'DELETED', object, () => objects.delete(name));
  }

  /** Forgets the past: a watch from before gets status 410. */
  compact(): void {
    this.#compactedTo = this.#version;
  }

  /** Sends a bookmark of the newest version to every watch. */
  bookmark(): void {
    this.send(
      `{"type":"BOOKMARK","object":{"kind":"Pod","metadata":{"resourceVersion":"${this.#version}"}}}\n`,
    );
  }

  /** Sends bytes to every watch. */
  send(text: string): void {
    for (const { response } of this.#watches) response.write(text);
  }

  /** @param path Of the list. */
  get(path: string, name: string): KubernetesObject | undefined {
    return this.#objects.get(path)?.get(name);
  }

  /** Ends every watch as if its time were over. */
  endWatches(): void {
    for (const { response } of this.#watches) response.end();
  }

  /** Resets every connection. */
  cut(): void {
    for (const socket of this.#sockets) socket.resetAndDestroy();
  }

  #list(path: string): Map<string, KubernetesObject> {
    const objects = this.#objects.get(path) ?? new Map();
    this.#objects.set(path, objects);
    return objects;
  }

  #happen(
    path: string,
    type: string,
    object: KubernetesObject,
    apply: (versioned: KubernetesObject) => void,
  ): void {
    const version = ++this.#version;
    const metadata = { ...(object['metadata'] as object), resourceVersion: String(version) };
    const versioned = { ...object, metadata };
    apply(versioned);
    const line = `${JSON.stringify({ type, object: versioned })}\n`;
    if (!this.isTelling) return;
    this.#events.push({ version, path, line });
    for (const watch of this.#watches) if (watch.path === path) watch.response.write(line);
  }

  #respond(request: IncomingMessage, response: ServerResponse): void {
    const target = request.url ?? '';
    this.requests.push(target);
    this.authorization = request.headers.authorization;
    const { mode } = this;
    if (this.#tls && this.authorization !== `Bearer ${this.#tls.token}`) {
      response.writeHead(401).end('{"kind":"Status","message":"Unauthorized"}');
      return;
    }
    if (mode === 'hang') return;
    if (typeof mode === 'object') {
      const headers = { ...(mode.retryAfter && { 'retry-after': mode.retryAfter }) };
      response.writeHead(mode.status, headers).end(mode.body ?? '');
      return;
    }
    const { pathname: path, searchParams: query } = new URL(target, 'http://x');
    const [, list = path, name, subresource] =
      /^(.*\/namespaces\/[^/]+\/[^/]+)(?:\/([^/]+)(?:\/([^/]+))?)?$/.exec(path) ?? [];
    if (name !== undefined || request.method !== 'GET') {
      this.#object(request, { path: list, name, subresource }, response);
    } else if (query.get('watch') === '1') this.#watch(path, query, response);
    else this.#page(path, query, response, mode === 'stall');
  }

  async #object(
    request: IncomingMessage,
    target: Pick<ObjectRequest, 'path' | 'name' | 'subresource'>,
    response: ServerResponse,
  ): Promise<void> {
    let body = '';
    for await (const chunk of request.setEncoding('utf8')) body += chunk;
    const { method = 'GET', headers } = request;
    const contentType = headers['content-type'] ?? '';
    const missing = { status: 404, body: { kind: 'Status', message: 'not found' } };
    const { status, body: sent } =
      this.onObject?.({ ...target, method, contentType, body }) ?? missing;
    response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(sent));
  }

  #page(path: string, query: URLSearchParams, response: ServerResponse, isStalling: boolean): void {
    const token = query.get('continue') ?? undefined;
    const scripted = this.onContinue?.(token);
    if (scripted === 'expired') {
      const message = 'The provided continue parameter is too old.';
      response.writeHead(410).end(JSON.stringify({ kind: 'Status', code: 410, message }));
      return;
    }
    const from = Number(token ?? 0) || 0;
    const limit = Number(query.get('limit') ?? 500);
    const items = [...this.#list(path).values()].filter((object) => matches(object, query));
    const rest = items.length - from - limit;
    const metadata = {
      resourceVersion: String(this.#version),
      ...(rest > 0 && { continue: String(from + limit) }),
      ...(scripted !== undefined && { continue: scripted }),
    };
    const page = JSON.stringify({ kind: 'List', metadata, items: items.slice(from, from + limit) });
    response.writeHead(200, { 'content-type': 'application/json' });
    if (isStalling) response.write(page.slice(0, page.length / 2));
    else response.end(page);
  }

  #watch(path: string, query: URLSearchParams, response: ServerResponse): void {
    const from = Number(query.get('resourceVersion'));
    response.writeHead(200, { 'content-type': 'application/json' });
    if (from < this.#compactedTo) {
      const message = `too old resource version: ${from} (${this.#compactedTo})`;
      const object = { kind: 'Status', code: 410, reason: 'Expired', message };
      response.end(`${JSON.stringify({ type: 'ERROR', object })}\n`);
      return;
    }
    response.flushHeaders();
    for (const event of this.#events) {
      if (event.version > from && event.path === path) response.write(event.line);
    }
    const watch = { path, response };
    this.#watches.add(watch);
    response.on('close', () => this.#watches.delete(watch));
  }
}

/** Selectors of the form `a=b,c`. */
function matches(object: KubernetesObject, query: URLSearchParams): boolean {
  const selector = query.get('labelSelector') ?? '';
  const { labels = {} } = object['metadata'] as { readonly labels?: Record<string, string> };
  return selector
    .split(',')
    .filter((part) => part !== '')
    .every((part) => {
      const [key = '', value] = part.split('=');
      return value === undefined ? key in labels : labels[key] === value;
    });
}

/** Starts a server that is closed when the test ends. */
export async function scriptedApiServer(t: {
  after(close: () => Promise<void>): void;
}): Promise<ScriptedApiServer> {
  const api = await new ScriptedApiServer().start();
  t.after(() => api.close());
  return api;
}
