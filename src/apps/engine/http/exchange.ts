// One HTTP request and its response, with what every route needs: the body, JSON responses, streams,
// and client disconnects.
import type { IncomingMessage, ServerResponse } from 'node:http';
import { ApiError, schemaError, sseContentType } from '../../../core/api/index.ts';
import { parsePythonJson } from '../base/python-json.ts';
import { nextSlice } from '../base/slices.ts';
import { bodyRoom } from './body-room.ts';
import { type BodyScan, scanBody } from './body-scan.ts';
import { FrameworkError } from './framework-error.ts';
import { parseBody, parseOwnBody } from './parse-body.ts';
import { requestTarget } from './request-target.ts';

/** vLLM 0.32, entrypoints/serve/utils/sse_keep_alive.py; no client reads it as an event. */
const keepAliveComment = ': keep-alive\n\n';

/** Forwards the events of one stream at its own pace. */
export interface EventSink {
  write(events: string): void;
  /** The last events. */
  end(events: string): void;
}

export class Exchange {
  readonly request: IncomingMessage;
  readonly response: ServerResponse;
  /** Percent-decoded, not normalised. */
  readonly path: string;
  readonly #search: string;
  /** Values of the path's parameters. */
  parameters: Readonly<Record<string, string>> = {};
  /** The route of the request, as registered. */
  route: string | undefined;
  /** Receives the events of the stream instead of the socket; used by injected faults. */
  eventSink: EventSink | undefined;
  /** Events that are sent together when the running code returns. */
  #unsent = '';
  #keepAlive: NodeJS.Timeout | undefined;

  constructor(request: IncomingMessage, response: ServerResponse) {
    this.request = request;
    this.response = response;
    const { path, search } = requestTarget(request.url ?? '/');
    this.path = path;
    this.#search = search;
  }

  /** Used for the query only; the path is `path`, which a URL cannot represent as received. */
  get url(): URL {
    return new URL(this.#search, 'http://engine');
  }

  /** Address that received the request. */
  get localAddress(): string {
    const { localAddress = '127.0.0.1', localPort } = this.request.socket;
    return `${localAddress}:${localPort}`;
  }

  header(name: string): string | undefined {
    const value = this.request.headers[name];
    return Array.isArray(value) ? value[0] : value;
  }

  /** @throws {ApiError} 400 with FastAPI's message if the body or its content type is not JSON. */
  async json(): Promise<unknown> {
    this.checkJsonType();
    return this.anyJson();
  }

  /** @throws {ApiError} 400 if the content type is not JSON. */
  checkJsonType(): void {
    const mediaType = this.header('content-type')?.split(';')[0]?.trim().toLowerCase();
    if (mediaType !== 'application/json') {
      throw new ApiError(
        400,
        'Bad Request',
        "1 validation error:\n  Unsupported Media Type: Only 'application/json' is allowed",
      );
    }
  }

  /** Whether the request declares a body. */
  get hasBody(): boolean {
    const length = this.header('content-length');
    return length === undefined ? this.header('transfer-encoding') !== undefined : length !== '0';
  }

  /** Like `json`, for routes that ignore the content type. */
  async anyJson(): Promise<unknown> {
    return this.#withBody(async (bytes) => {
      if (bytes.length === 0) {
        const issue = { type: 'missing', loc: 'body', msg: 'Field required', input: null };
        throw schemaError([issue]);
      }
      const scan = await scanBody(bytes);
      return parseBody(await longText(bytes, scan), scan);
    });
  }

  /**
   * Reads a JSON body with any content type. @throws {ApiError} 400 with `sentence` if it is not
   * JSON.
   */
  async jsonOr(sentence: (fault: string) => string): Promise<unknown> {
    try {
      return parsePythonJson(await this.text());
    } catch (error) {
      if (!(error instanceof SyntaxError)) throw error;
      throw new ApiError(400, 'Bad Request', sentence(error.message));
    }
  }

  /** For routes that read their body without FastAPI in vLLM. @throws {ApiError} Like `parseOwnBody`. */
  async ownJson(): Promise<unknown> {
    return this.#withBody(async (bytes) => parseOwnBody(bytes, await scanBody(bytes)));
  }

  /** Returns the raw body, for routes that parse it themselves. */
  async text(): Promise<string> {
    return this.#withBody(async (bytes) => longText(bytes, await scanBody(bytes)));
  }

  /** Calls back once if the client disconnects before the response is complete, at once if it has done so. */
  onDisconnect(callback: () => void): void {
    if (this.response.destroyed && !this.response.writableEnded) {
      callback();
      return;
    }
    this.response.once('close', () => {
      if (!this.response.writableEnded) callback();
    });
  }

  /** Calls back once when the response is complete or its client has disconnected, at once if that is so. */
  onClose(callback: () => void): void {
    if (this.response.destroyed) callback();
    else this.response.once('close', callback);
  }

  sendJson(status: number, json: string): void {
    this.send(status, 'application/json', json);
  }

  send(status: number, contentType: string, body: string): void {
    this.response.writeHead(status, {
      'content-length': Buffer.byteLength(body),
      ...(contentType !== '' && { 'content-type': contentType }),
    });
    // As text, so that head and body are sent in one write.
    this.response.end(body);
  }

  sendBytes(status: number, body: Buffer, headers: Readonly<Record<string, string>>): void {
    this.response.writeHead(status, { 'content-length': body.length, ...headers });
    this.response.end(body);
  }

  /** Starts a stream: status and headers are sent at once. */
  openStream(): void {
    this.response.writeHead(200, { 'content-type': sseContentType });
    this.response.flushHeaders();
  }

  /** Sends a comment into the stream whenever nothing was sent for this long. */
  keepAlive(intervalMs: number): void {
    this.#keepAlive = setInterval(() => {
      // Not into a stream that a fault holds, or before its head.
      const isOpen = this.response.headersSent && !this.response.writableEnded;
      if (isOpen && !this.eventSink) this.response.write(keepAliveComment);
    }, intervalMs);
    this.response.once('close', () => clearInterval(this.#keepAlive));
  }

  /**
   * Sends events of a stream. The events of one call, and of steps in the same turn of the event
   * loop, are sent together: at a time scale above 1 that halves the cost of a token.
   */
  write(events: string): void {
    this.#keepAlive?.refresh();
    if (this.eventSink) this.eventSink.write(events);
    else {
      if (this.#unsent === '') process.nextTick(() => this.#flush());
      this.#unsent += events;
    }
  }

  /** Sends the last events and ends the stream. */
  end(events: string): void {
    clearInterval(this.#keepAlive);
    if (this.eventSink) this.eventSink.end(events);
    else {
      this.response.end(this.#unsent + events);
      this.#unsent = '';
    }
  }

  #flush(): void {
    if (this.#unsent !== '') this.response.write(this.#unsent);
    this.#unsent = '';
  }

  /** The body has its room until it is parsed. */
  async #withBody<T>(parse: (bytes: Buffer) => Promise<T>): Promise<T> {
    const { bytes, giveBack } = await bodyRoom.read(this.request);
    try {
      return await parse(bytes);
    } finally {
      giveBack();
    }
  }
}

/** A long body is decoded in a turn of its own. */
async function longText(bytes: Buffer, scan: BodyScan | undefined): Promise<string> {
  const text = decodeUtf8(bytes);
  if (scan !== undefined) await nextSlice();
  return text;
}

const strictUtf8 = new TextDecoder('utf-8', { fatal: true });

function decodeUtf8(bytes: Buffer): string {
  try {
    return strictUtf8.decode(bytes);
  } catch {
    throw new FrameworkError(400, 'There was an error parsing the body');
  }
}
