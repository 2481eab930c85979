// One request of a load and its response: times the chunks, and says what went wrong.
import { type Clock, counted } from '../../core/base/index.ts';
import type { RequestError } from '../../core/stats/index.ts';
import {
  ChunkedReader,
  type ResponseHead,
  type ResponseSink,
  type UpstreamExchange,
  type UpstreamFailure,
} from '../../io/http/index.ts';
import { type AnswerChunk, type AnswerUsage, errorText } from './answer-chunk.ts';
import { EventPattern } from './event-pattern.ts';
import type { LoadApi } from './load-api.ts';
import { type KnownData, SseReader } from './sse-reader.ts';

/** Maximum length of an error's body that is read for its message, in bytes. */
const errorBodyBytesMax = 64 << 10;

/** Maximum length of a response that is not streamed, in bytes: an embedding of 4,096 numbers has 100 KB. */
const documentBytesMax = 16 << 20;

/** Maximum length of a response that is kept as part of the next prompt; the rest is cut off. */
const keptTextLengthMax = 4 << 20;

/** Error codes of a connection that could not be made because there is no server. */
const goneCodes: ReadonlySet<string | undefined> = new Set([
  ...['ECONNREFUSED', 'EHOSTUNREACH', 'ENETUNREACH', 'ENOTFOUND'],
]);

/** A response as received by the client; times are on the client's clock. */
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

/** Receives one response; ends exactly once. */
export class StreamExchange implements ResponseSink, KnownData {
  readonly keepsNothing = true;
  /** Set by the client once the request is on its way. */
  upstream: UpstreamExchange | undefined = undefined;
  readonly #clock: Clock;
  readonly #api: LoadApi;
  readonly #keepsText: boolean;
  readonly #onEnd: (exchange: StreamExchange, answer: StreamedAnswer) => void;
  readonly #sentSeconds: number;
  readonly #chunkSeconds: number[] = [];
  #head: ResponseHead | undefined = undefined;
  #chunked: ChunkedReader | undefined = undefined;
  #events: SseReader | undefined = undefined;
  /** The parts of a response that is not a stream of events. */
  #document: Buffer[] | undefined = undefined;
  #documentBytes = 0;
  readonly #pattern = new EventPattern();
  #usage: AnswerUsage | undefined = undefined;
  #text = '';
  #isDone = false;
  #isFinished = false;
  #isEnded = false;
  #nowSeconds = 0;

  /** @param options.keepsText Whether the text of the response is needed. */
  constructor(options: {
    readonly clock: Clock;
    readonly api: LoadApi;
    readonly keepsText: boolean;
    readonly onEnd: (exchange: StreamExchange, answer: StreamedAnswer) => void;
  }) {
    this.#clock = options.clock;
    this.#api = options.api;
    this.#keepsText = options.keepsText;
    this.#onEnd = options.onEnd;
    this.#sentSeconds = options.clock.nowSeconds();
  }

  /** Ends the exchange with an error and drops its connection. */
  fail(kind: string, message: string): void {
    if (this.#isEnded) return;
    this.#end({ kind, message });
    this.upstream?.abort();
  }

  onHead(head: ResponseHead, bytes: Buffer, ended: boolean): boolean {
    this.#head = head;
    if (head.framing === 'chunked') this.#chunked = new ChunkedReader();
    if (head.status !== 200 || !this.#api.isStreamed) this.#document = [];
    else {
      const type = head.headers.get('content-type') ?? 'no content type';
      if (!type.startsWith('text/event-stream')) {
        this.fail('malformed', `the response is ${type}, not an event stream`);
        return false;
      }
      this.#events = new SseReader((data) => this.#event(data), this);
    }
    return this.onBytes(bytes, ended);
  }

  onBytes(bytes: Buffer, ended: boolean): boolean {
    if (this.#isEnded) return false;
    this.#nowSeconds = this.#clock.nowSeconds();
    if (this.#chunked === undefined) this.#take(bytes, 0, bytes.length);
    else this.#chunked.read(bytes, 0, bytes.length, this.#take);
    if (ended) this.#complete();
    return false;
  }

  onFailure({ kind, message, code }: UpstreamFailure): void {
    if (kind === 'syntax') this.fail('malformed', message);
    else if (this.#head !== undefined) this.#cut(message);
    else if (goneCodes.has(code)) this.fail('refused', message);
    else this.fail('connect', `no response: ${message}`);
  }

  /** Takes a part of the body, without its framing. */
  readonly #take = (bytes: Buffer, start: number, end: number): void => {
    if (this.#isEnded) return;
    if (this.#events === undefined) {
      this.#keep(bytes, start, end);
      return;
    }
    try {
      this.#events.push(bytes, start, end);
    } catch (error) {
      this.fail('malformed', error instanceof Error ? error.message : String(error));
    }
  };

  #keep(bytes: Buffer, start: number, end: number): void {
    const isError = this.#head?.status !== 200;
    this.#documentBytes += end - start;
    if (this.#documentBytes <= (isError ? errorBodyBytesMax : documentBytesMax)) {
      this.#document?.push(Buffer.from(bytes.subarray(start, end)));
    } else if (!isError) this.fail('malformed', 'the response is too long');
  }

  /** Finds the end of an event that differs from an earlier one in its text alone. */
  endOf(bytes: Buffer, start: number, end: number): number {
    return this.#isEnded || this.#isDone ? -1 : this.#pattern.endOf(bytes, start, end);
  }

  onKnown(bytes: Buffer, start: number, end: number): void {
    const { textOffset, bytesAfterText } = this.#pattern;
    const text = this.#keepsText
      ? bytes.toString('utf8', start + textOffset, end - bytesAfterText)
      : '';
    this.#token(text);
  }

  #event(data: string): void {
    if (this.#isEnded || this.#isDone) return;
    if (data === '[DONE]') {
      this.#isDone = true;
      return;
    }
    let chunk: AnswerChunk;
    try {
      chunk = this.#api.read(data);
    } catch (error) {
      const reason = error instanceof Error ? error.message : String(error);
      this.fail('malformed', `an event is not JSON: ${reason}`);
      return;
    }
    if (chunk.error !== undefined) {
      this.fail('stream_error', chunk.error);
      return;
    }
    if (chunk.hasTokens) {
      this.#token(chunk.text);
      this.#pattern.learn(data, chunk, this.#api.read);
    }
    if (chunk.isFinished) this.#isFinished = true;
    if (chunk.usage !== undefined) this.#usage = joinedUsage(this.#usage, chunk.usage);
  }

  #token(text: string): void {
    this.#chunkSeconds.push(this.#nowSeconds);
    if (this.#keepsText && this.#text.length < keptTextLengthMax) this.#text += text;
  }

  #complete(): void {
    if (this.#isEnded) return;
    const { status, reason } = this.#head as ResponseHead;
    if (this.#document !== undefined) {
      const body = Buffer.concat(this.#document).toString('utf8');
      if (status !== 200) {
        this.fail(`http_${status}`, messageOf(body) || reason);
        return;
      }
      // The arrival of a response that is one JSON object counts as that of its only chunk.
      this.#event(body);
    } else if (!this.#isDone && !this.#isFinished) {
      const last = this.#api.endsWithDone ? '[DONE]' : 'its last event';
      this.#cut(`the stream ended without ${last}`);
    }
    if (this.#isEnded) return;
    if (this.#chunkSeconds.length === 0) this.fail('empty', 'the response has no tokens');
    else this.#end(undefined);
  }

  #cut(reason: string): void {
    this.fail('cut', `cut after ${counted(this.#chunkSeconds.length, 'chunk')}: ${reason}`);
  }

  #end(error: RequestError | undefined): void {
    if (this.#isEnded) return;
    this.#isEnded = true;
    const headers = this.#head?.headers;
    const lag = Number.parseFloat(headers?.get('x-spillway-lag-seconds') ?? '');
    this.#onEnd(this, {
      sentSeconds: this.#sentSeconds,
      chunkSeconds: this.#chunkSeconds,
      endSeconds: this.#clock.nowSeconds(),
      usage: this.#usage,
      text: this.#text,
      engine: headers?.get('x-spillway-engine'),
      engineName: headers?.get('x-spillway-engine-name'),
      isEmulated: headers?.get('x-spillway-emulated') === 'true',
      engineLagSeconds: Number.isNaN(lag) ? undefined : lag,
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

/** Returns the message in an error's body: OpenAI's object, FastAPI's, or the text. */
function messageOf(body: string): string {
  try {
    const json = JSON.parse(body) as Record<string, unknown>;
    return errorText(json['error'] ?? json['detail'] ?? json);
  } catch {
    return body.slice(0, 200).trim();
  }
}
