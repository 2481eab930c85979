// Sends one request and times its streamed response. It uses node:http, which needs a tenth of fetch's
// CPU per chunk; otherwise, hundreds of streams on one core would measure the client.
import { type ClientRequest, Agent as HttpAgent, type IncomingMessage, request } from 'node:http';
import { Agent as HttpsAgent, request as requestTls } from 'node:https';
import { type Clock, counted } from '../../core/base/index.ts';
import type { RequestError } from '../../core/stats/index.ts';
import { type AnswerChunk, type AnswerUsage, errorText } from './answer-chunk.ts';
import type { LoadApi } from './load-api.ts';
import { SseReader } from './sse-reader.ts';
import { headersOf } from './target.ts';

/** Maximum length of an error's body that is read for its message. */
const errorBodyLengthMax = 64 << 10;

/** Maximum length of a response that is not streamed: an embedding of 4,096 numbers has 100 KB. */
const documentLengthMax = 16 << 20;

/** Maximum length of a response that is kept as part of the next prompt; the rest is cut off. */
const keptTextLengthMax = 4 << 20;

/** Error codes of a connection that could not be made because there is no server. */
const goneCodes: ReadonlySet<string | undefined> = new Set([
  ...['ECONNREFUSED', 'EHOSTUNREACH', 'ENETUNREACH', 'ENOTFOUND'],
]);

/** A streamed response as received by the client; times are on the client's clock. */
export interface StreamedAnswer {
  readonly sentSeconds: number;
  /** Arrival time of each chunk with tokens. */
  readonly chunkSeconds: readonly number[];
  readonly endSeconds: number;
  readonly usage: AnswerUsage | undefined;
  /** The response itself; empty unless it was asked for. */
  readonly text: string;
  /** The router's `x-spillway-engine`. */
  readonly engine: string | undefined;
  /** The router's `x-spillway-engine-name`. */
  readonly engineName: string | undefined;
  /** Whether an emulated engine sent it, by its `x-spillway-emulated`. */
  readonly isEmulated: boolean;
  /** An emulated engine's `x-spillway-lag-seconds`: wall-clock seconds that it was behind its clock. */
  readonly engineLagSeconds: number | undefined;
  readonly error: RequestError | undefined;
}

/** A request as the client sends it. */
export interface OutgoingRequest {
  readonly api: LoadApi;
  readonly body: Uint8Array;
  /** Headers of this request alone. */
  readonly headers?: Readonly<Record<string, string>> | undefined;
  /** Whether the text of the response is needed. @default false */
  readonly keepsText?: boolean | undefined;
}

/** Keeps connections and sends requests to one server. */
export interface StreamClient {
  /**
   * @param signal Ends the request at once; the answer's error is then `interrupted`.
   * @returns Always resolves; failures are in `error`.
   */
  send(outgoing: OutgoingRequest, signal: AbortSignal): Promise<StreamedAnswer>;
  /** Closes all connections. */
  close(): void;
}

/**
 * Creates a client of an OpenAI-compatible server.
 *
 * @param options.url Base URL, e.g. `http://127.0.0.1:8000/v1`.
 * @param options.timeoutMs From sending to the end of the answer.
 */
export function createStreamClient(options: {
  readonly url: URL;
  readonly apiKey: string | undefined;
  /** Further headers of each request. */
  readonly headers?: Readonly<Record<string, string>> | undefined;
  readonly timeoutMs: number;
  readonly clock: Clock;
}): StreamClient {
  const { url, timeoutMs, clock } = options;
  const headers = headersOf(options);
  const isTls = url.protocol === 'https:';
  const agent = new (isTls ? HttpsAgent : HttpAgent)({ keepAlive: true });
  const base = url.href.replace(/\/+$/, '');
  const start = ({ api, body, headers: further }: OutgoingRequest): ClientRequest =>
    (isTls ? requestTls : request)(`${base}${api.path}`, {
      method: 'POST',
      agent,
      headers: {
        'content-type': 'application/json',
        'content-length': body.byteLength,
        accept: api.isStreamed ? 'text/event-stream' : 'application/json',
        ...headers,
        ...further,
      },
    });
  return {
    send(asked, signal) {
      return new Promise((resolve) => {
        const sentSeconds = clock.nowSeconds();
        const exchange = new Exchange(clock, asked, (answer) => {
          clearTimeout(timer);
          signal.removeEventListener('abort', interrupt);
          resolve({ sentSeconds, ...answer });
        });
        const open = (isRetry: boolean): void => {
          const outgoing = start(asked);
          exchange.request = outgoing;
          outgoing.once('response', (response) => exchange.read(response));
          outgoing.on('error', (error: NodeJS.ErrnoException) => {
            if (exchange.isEnded) return;
            // A server may close an idle connection just as it is reused; that is not a failure.
            if (error.code === 'ECONNRESET' && outgoing.reusedSocket && !isRetry) open(true);
            else if (goneCodes.has(error.code)) exchange.fail('refused', messageOfError(error));
            else exchange.fail('connect', `no response: ${error.message}`);
          });
          outgoing.end(asked.body);
        };
        const timer = setTimeout(() => {
          exchange.fail('timeout', `not finished after ${timeoutMs / 1000} s`);
        }, timeoutMs);
        const interrupt = () => exchange.fail('interrupted', 'the run was stopped');
        if (signal.aborted) return interrupt();
        signal.addEventListener('abort', interrupt, { once: true });
        open(false);
      });
    },
    close: () => agent.destroy(),
  };
}

/** One request and its response; ends exactly once. */
class Exchange {
  request: ClientRequest | undefined;
  isEnded = false;
  readonly #clock: Clock;
  readonly #asked: OutgoingRequest;
  readonly #onEnd: (answer: Omit<StreamedAnswer, 'sentSeconds'>) => void;
  readonly #chunkSeconds: number[] = [];
  #usage: AnswerUsage | undefined;
  #text = '';
  #engine: string | undefined;
  #engineName: string | undefined;
  #isEmulated = false;
  #engineLagSeconds: number | undefined;
  #isDone = false;
  #isFinished = false;
  #nowSeconds = 0;

  constructor(
    clock: Clock,
    asked: OutgoingRequest,
    onEnd: (answer: Omit<StreamedAnswer, 'sentSeconds'>) => void,
  ) {
    this.#clock = clock;
    this.#asked = asked;
    this.#onEnd = onEnd;
  }

  read(response: IncomingMessage): void {
    this.#engine = headerOf(response, 'x-spillway-engine');
    this.#engineName = headerOf(response, 'x-spillway-engine-name');
    this.#isEmulated = headerOf(response, 'x-spillway-emulated') === 'true';
    const lag = Number.parseFloat(String(response.headers['x-spillway-lag-seconds']));
    this.#engineLagSeconds = Number.isNaN(lag) ? undefined : lag;
    response.setEncoding('utf8');
    response.on('error', (error) => this.#cut(error.message));
    if (response.statusCode !== 200) {
      this.#readError(response);
      return;
    }
    if (!this.#asked.api.isStreamed) {
      this.#readDocument(response);
      return;
    }
    const type = response.headers['content-type'] ?? 'no content type';
    if (!type.startsWith('text/event-stream')) {
      this.fail('malformed', `the response is ${type}, not an event stream`);
      return;
    }
    const reader = new SseReader((data) => this.#event(data));
    response.on('data', (text: string) => {
      if (this.isEnded) return;
      this.#nowSeconds = this.#clock.nowSeconds();
      try {
        reader.push(text);
      } catch (error) {
        this.fail('malformed', error instanceof Error ? error.message : String(error));
      }
    });
    response.once('end', () => {
      if (this.#isDone || this.#isFinished) this.#complete();
      else {
        const last = this.#asked.api.endsWithDone ? '[DONE]' : 'its last event';
        this.#cut(`the stream ended without ${last}`);
      }
    });
  }

  /** Ends the exchange with an error and drops its connection. */
  fail(kind: string, message: string): void {
    if (this.isEnded) return;
    this.#end({ kind, message });
    this.request?.destroy();
  }

  #event(data: string): void {
    if (this.isEnded || this.#isDone) return;
    if (data === '[DONE]') {
      this.#isDone = true;
      return;
    }
    let chunk: AnswerChunk;
    try {
      chunk = this.#asked.api.read(data);
    } catch (error) {
      const reason = error instanceof Error ? error.message : String(error);
      this.fail('malformed', `an event is not JSON: ${reason}`);
      return;
    }
    if (chunk.error !== undefined) {
      this.fail('stream_error', chunk.error);
      return;
    }
    if (chunk.hasTokens) this.#chunkSeconds.push(this.#nowSeconds);
    if (this.#asked.keepsText && this.#text.length < keptTextLengthMax) this.#text += chunk.text;
    if (chunk.isFinished) this.#isFinished = true;
    if (chunk.usage !== undefined) this.#usage = joinedUsage(this.#usage, chunk.usage);
  }

  /** Reads a response that is one JSON object; its arrival counts as that of its only chunk. */
  #readDocument(response: IncomingMessage): void {
    let body = '';
    response.on('data', (text: string) => {
      body += text;
      if (body.length > documentLengthMax) this.fail('malformed', 'the response is too long');
    });
    response.once('end', () => {
      this.#nowSeconds = this.#clock.nowSeconds();
      this.#event(body);
      if (!this.isEnded) this.#complete();
    });
  }

  #complete(): void {
    if (this.#chunkSeconds.length === 0) this.fail('empty', 'the response has no tokens');
    else this.#end(undefined);
  }

  #cut(reason: string): void {
    this.fail('cut', `cut after ${counted(this.#chunkSeconds.length, 'chunk')}: ${reason}`);
  }

  #readError(response: IncomingMessage): void {
    let body = '';
    response.on('data', (text: string) => {
      if (body.length < errorBodyLengthMax) body += text;
    });
    response.once('end', () => {
      this.fail(`http_${response.statusCode}`, messageOf(body) || `${response.statusMessage}`);
    });
  }

  #end(error: RequestError | undefined): void {
    if (this.isEnded) return;
    this.isEnded = true;
    this.#onEnd({
      chunkSeconds: this.#chunkSeconds,
      endSeconds: this.#clock.nowSeconds(),
      usage: this.#usage,
      text: this.#text,
      engine: this.#engine,
      engineName: this.#engineName,
      isEmulated: this.#isEmulated,
      engineLagSeconds: this.#engineLagSeconds,
      error,
    });
  }
}

/** An event may have a part of the counts only, as Anthropic's first and last. */
function joinedUsage(before: AnswerUsage | undefined, now: AnswerUsage): AnswerUsage {
  return {
    promptTokens: now.promptTokens ?? before?.promptTokens,
    outputTokens: now.outputTokens ?? before?.outputTokens,
    cachedTokens: now.cachedTokens ?? before?.cachedTokens,
  };
}

function headerOf(response: IncomingMessage, name: string): string | undefined {
  const value = response.headers[name];
  return typeof value === 'string' ? value : undefined;
}

/** Returns the message in an error's body: OpenAI's object, FastAPI's, or the text. */
function messageOf(body: string): string {
  try {
    const json = JSON.parse(body) as Record<string, unknown>;
    return errorText(json['error'] ?? json['detail'] ?? json);
  } catch {
    return body.slice(0, 200).trim();
  }
}

/** Returns an error's message, or its code: an error for several addresses has no message. */
function messageOfError(error: NodeJS.ErrnoException): string {
  return error.message || `${error.code}`;
}
