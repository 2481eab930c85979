// Relays an engine's response to the client: a new head, then the same bytes. Reads those bytes that may
// hold token counts or an error.
import type { Pick } from '../../../core/routing/index.ts';
import { ChunkedReader, type ResponseHead, type ServerExchange } from '../../../io/http/index.ts';
import { errorEvent } from './error-shapes.ts';
import { errorEventStatus } from './first-event.ts';
import type { OpenAiError } from './openai-error.ts';
import { downstreamHeadText, hasEventType } from './proxy-heads.ts';
import { type Usage, usageNear } from './usage.ts';

export interface ResponseRelayOptions {
  readonly exchange: ServerExchange;
  readonly requestId: string;
  /** Whether the response may end with token counts in a separate chunk. */
  readonly expectsUsage: boolean;
  /** Whether responses state why their engine was picked. */
  readonly pickHeader: boolean;
}

/** The engine of a response. */
export interface PickedEngine {
  readonly pick: Pick;
  /** Header lines that name the engine, each with CR LF. */
  readonly headerLines: string;
}

/** Reads up to this size are searched for an error event in a stream; engines write one event at a time. */
const errorEventBytesMax = 4096;

export class ResponseRelay {
  readonly #options: ResponseRelayOptions;
  #isEventStream = false;
  #isCompressed = false;
  /** Set if the client cannot read chunks (HTTP/1.0): removes the chunk framing. */
  #decoder: ChunkedReader | undefined = undefined;
  #usage: Usage | undefined = undefined;
  #hasErrorEvent = false;

  constructor(options: ResponseRelayOptions) {
    this.#options = options;
  }

  /** Whether the response is a stream of server-sent events, compressed or not. */
  get isEventStream(): boolean {
    return this.#isEventStream;
  }

  /** Token counts, if the response has contained any so far. */
  get usage(): Usage | undefined {
    return this.#usage;
  }

  /** Whether the engine wrote an error event into its stream that is not the client's fault. */
  get hasErrorEvent(): boolean {
    return this.#hasErrorEvent;
  }

  /** Relays the head, and the bytes that go with it. */
  begin(head: ResponseHead, bytes: Buffer, ended: boolean, picked: PickedEngine): void {
    this.#isEventStream = hasEventType(head);
    this.#isCompressed = head.contentEncoding !== undefined;
    const headText = this.#headText(head, picked);
    const body = this.#decoder === undefined ? bytes : decoded(this.#decoder, bytes);
    this.#options.exchange.begin(headText, body);
    this.#look(bytes, ended, false);
  }

  /**
   * Relays bytes of the body.
   *
   * @param hasNoError Whether it is known that no event in them is an error: then they are not searched.
   * @returns Whether `bytes` must stay as they are after the call.
   */
  write(bytes: Buffer, ended: boolean, hasNoError = false): boolean {
    this.#look(bytes, ended, hasNoError);
    if (this.#decoder !== undefined) this.#options.exchange.write(decoded(this.#decoder, bytes));
    else if (bytes.length > 0) return this.#options.exchange.write(bytes);
    return false;
  }

  /**
   * Ends an incomplete response so that the client notices: with an error event where one fits
   * into the stream, which is not in a compressed one, and always without the last chunk.
   *
   * @param betweenChunks Whether the body so far ends where more of it can follow.
   * @param number That of an event that follows in a response; undefined if it is not known.
   */
  breakOff(betweenChunks: boolean, error: OpenAiError, number?: number): void {
    if (!this.#isEventStream || this.#isCompressed || !betweenChunks) {
      this.#options.exchange.destroy();
      return;
    }
    // The blank lines end an event that was cut in two.
    const event = `\n\n${errorEvent(this.#options.exchange.target, error, number)}`;
    const framed =
      this.#decoder === undefined
        ? `${Buffer.byteLength(event).toString(16)}\r\n${event}\r\n`
        : event;
    this.#options.exchange.write(Buffer.from(framed));
    // Clients that do not support error events treat a missing last chunk as a broken response.
    this.#options.exchange.closeAfterwards();
    this.#options.exchange.end();
  }

  #headText(head: ResponseHead, { pick, headerLines }: PickedEngine): string {
    let framing = '';
    if (head.framing === 'length' || (head.framing === 'none' && head.contentLength >= 0)) {
      framing = `content-length: ${head.contentLength}\r\n`;
    } else if (head.framing === 'chunked') {
      if (this.#options.exchange.head.minorVersion === 1)
        framing = 'transfer-encoding: chunked\r\n';
      else {
        this.#decoder = new ChunkedReader();
        this.#options.exchange.closeAfterwards();
      }
    } else if (head.framing === 'until-close') this.#options.exchange.closeAfterwards();
    const { requestId, pickHeader } = this.#options;
    let ours = `x-request-id: ${requestId}\r\n${headerLines}`;
    if (pickHeader) ours += `x-spillway-pick: ${printable(pick.reason)}\r\n`;
    return downstreamHeadText(head, framing, ours + this.#options.exchange.lastLines);
  }

  /** Searches for token counts only where they can be. */
  #look(bytes: Buffer, ended: boolean, hasNoError: boolean): void {
    if (this.#isCompressed) return;
    if (ended || this.#options.expectsUsage) this.#usage = usageNear(bytes) ?? this.#usage;
    if (
      this.#isEventStream &&
      !hasNoError &&
      bytes.length < errorEventBytesMax &&
      bytes.includes('"error"') &&
      hasEngineError(bytes.toString('latin1'))
    ) {
      this.#hasErrorEvent = true;
    }
  }
}

/** Whether a text with chunks has an error event that is not the client's. */
function hasEngineError(text: string): boolean {
  for (const { index } of text.matchAll(/^(?:event: ?error\r?\n)?data:/gm)) {
    const status = errorEventStatus(text.slice(index));
    if (status === 429 || (status !== undefined && status >= 500)) return true;
  }
  return false;
}

function decoded(decoder: ChunkedReader, bytes: Buffer): Buffer {
  const spans: Buffer[] = [];
  decoder.read(bytes, 0, bytes.length, (from, start, end) => {
    spans.push(from.subarray(start, end));
  });
  return Buffer.concat(spans);
}

/** A reason may quote what a client sent: nothing of it may end the header line. */
function printable(text: string): string {
  return /[^\x20-\x7e]/.test(text) ? text.replace(/[^\x20-\x7e]/g, '?') : text;
}
