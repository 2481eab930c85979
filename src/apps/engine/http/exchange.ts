// One HTTP request and its answer, with what every route needs: body, JSON answers, streams, and
// the client's going away.
import type { IncomingMessage, ServerResponse } from 'node:http';
import { ApiError, schemaError, sseContentType } from '../../../core/api/index.ts';
import type { StreamFault } from '../faults/stream-fault.ts';
import { FrameworkError } from './framework-error.ts';
import { parseBody, parseOwnBody } from './parse-body.ts';
import { parsePythonJson } from './python-json.ts';
import { requestTarget } from './request-target.ts';

/** Largest body taken, bytes; a longer one is refused while it comes in. */
const bodyBytesMax = 64 * 1024 * 1024;

/** vLLM 0.32, entrypoints/serve/utils/sse_keep_alive.py; no client takes it for an event. */
const keepAliveComment = ': keep-alive\n\n';

export class Exchange {
  readonly request: IncomingMessage;
  readonly response: ServerResponse;
  /** Percent-decoded, not normalised. */
  readonly path: string;
  readonly #search: string;
  /** Parts of the path that its route leaves open, by name. */
  parameters: Readonly<Record<string, string>> = {};
  /** The route that it went to, as it was registered. */
  route: string | undefined;
  /** What goes wrong with the stream of this answer, if anything. */
  streamFault: StreamFault | undefined;
  /** Events that go out when the program that runs now has ended. */
  #unsent = '';
  #keepAlive: NodeJS.Timeout | undefined;

  constructor(request: IncomingMessage, response: ServerResponse) {
    this.request = request;
    this.response = response;
    const { path, search } = requestTarget(request.url ?? '/');
    this.path = path;
    this.#search = search;
  }

  /** For the query; the path is `path`, which no URL could say as it came. */
  get url(): URL {
    return new URL(this.#search, 'http://engine');
  }

  /** Where the request came in. */
  get localAddress(): string {
    const { localAddress = '127.0.0.1', localPort } = this.request.socket;
    return `${localAddress}:${localPort}`;
  }

  header(name: string): string | undefined {
    const value = this.request.headers[name];
    return Array.isArray(value) ? value[0] : value;
  }

  /** @throws {ApiError} 400 in FastAPI's words if the body is not JSON, or not called so. */
  async json(): Promise<unknown> {
    this.checkJsonType();
    return this.anyJson();
  }

  /** @throws {ApiError} 400 if the body is not called JSON. */
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

  /** Whether the request says that it has a body. */
  get hasBody(): boolean {
    const length = this.header('content-length');
    return length === undefined ? this.header('transfer-encoding') !== undefined : length !== '0';
  }

  /** As `json`, for routes that do not look at the content type. */
  async anyJson(): Promise<unknown> {
    const bytes = await this.#read();
    if (bytes.length === 0) {
      const issue = { type: 'missing', loc: 'body', msg: 'Field required', input: null };
      throw schemaError([issue]);
    }
    return parseBody(decodeUtf8(bytes));
  }

  /** A JSON body, whatever it is called. @throws {ApiError} 400 with `sentence` if it is none. */
  async jsonOr(sentence: (fault: string) => string): Promise<unknown> {
    try {
      return parsePythonJson(await this.text());
    } catch (error) {
      if (!(error instanceof SyntaxError)) throw error;
      throw new ApiError(400, 'Bad Request', sentence(error.message));
    }
  }

  /** For routes that vLLM lets read their body without FastAPI. @throws {ApiError} As `parseOwnBody`. */
  async ownJson(): Promise<unknown> {
    return parseOwnBody(await this.#read());
  }

  /** The body as it is; for routes that read it in their own way. */
  async text(): Promise<string> {
    return decodeUtf8(await this.#read());
  }

  /** Calls back once if the client goes before the answer is complete. */
  onDisconnect(callback: () => void): void {
    this.response.once('close', () => {
      if (!this.response.writableEnded) callback();
    });
  }

  sendJson(status: number, json: string): void {
    this.send(status, 'application/json', json);
  }

  send(status: number, contentType: string, body: string): void {
    this.response.writeHead(status, {
      'content-length': Buffer.byteLength(body),
      ...(contentType !== '' && { 'content-type': contentType }),
    });
    // As text: head and body then leave in one write.
    this.response.end(body);
  }

  /** Begins a stream: status and headers go out at once. */
  openStream(): void {
    this.response.writeHead(200, { 'content-type': sseContentType });
    this.response.flushHeaders();
  }

  /** Sends a comment into the stream whenever nothing was sent for so long. */
  keepAlive(intervalMs: number): void {
    this.#keepAlive = setInterval(() => {
      // Not into one that was told to stall, nor before its head.
      const isOpen = this.response.headersSent && !this.response.writableEnded;
      if (isOpen && !this.streamFault) this.response.write(keepAliveComment);
    }, intervalMs);
    this.response.once('close', () => clearInterval(this.#keepAlive));
  }

  /**
   * Sends events of a stream; those of one call go in one piece. Steps that are played in one go
   * send theirs together: at a time scale above 1 that is half of the cost of a token.
   */
  write(events: string): void {
    this.#keepAlive?.refresh();
    if (this.streamFault) this.streamFault.write(events);
    else {
      if (this.#unsent === '') process.nextTick(() => this.#flush());
      this.#unsent += events;
    }
  }

  /** Sends the last events and ends the stream. */
  end(events: string): void {
    clearInterval(this.#keepAlive);
    if (this.streamFault) this.streamFault.end(events);
    else {
      this.response.end(this.#unsent + events);
      this.#unsent = '';
    }
  }

  #flush(): void {
    if (this.#unsent !== '') this.response.write(this.#unsent);
    this.#unsent = '';
  }

  /** By events: the stream's iterator costs a tenth of a short request. */
  #read(): Promise<Buffer> {
    const { request } = this;
    const parts: Buffer[] = [];
    let length = 0;
    return new Promise((resolve, reject) => {
      const take = (part: Buffer): void => {
        length += part.length;
        if (length <= bodyBytesMax) {
          parts.push(part);
          return;
        }
        // What still comes is thrown away by the server once the answer is out.
        request.off('data', take);
        parts.length = 0;
        reject(new ApiError(413, 'Request Entity Too Large', 'The request body is too large.'));
      };
      request.on('data', take);
      request.on('end', () => resolve(Buffer.concat(parts)));
      request.on('error', reject);
    });
  }
}

const strictUtf8 = new TextDecoder('utf-8', { fatal: true });

function decodeUtf8(bytes: Buffer): string {
  try {
    return strictUtf8.decode(bytes);
  } catch {
    throw new FrameworkError(400, 'There was an error parsing the body');
  }
}
