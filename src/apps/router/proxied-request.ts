// One client request on its way through the router: pick, send, relay, and try elsewhere while the
// client has not seen a byte.
import {
  NoEndpointError,
  type Outcome,
  type RoutingCore,
  type RoutingRequest,
  type Ticket,
  UnknownModelError,
} from '../../core/routing/index.ts';
import {
  ChunkedReader,
  type ResponseHead,
  type ResponseSink,
  type ServerExchange,
  type UpstreamExchange,
  type UpstreamFailure,
  type UpstreamPool,
} from '../../io/http/index.ts';
import type { Logger } from '../../io/log/index.ts';
import { answerError } from './answer.ts';
import { openAiErrorJson } from './openai-error.ts';
import { downstreamHeadText, type UpstreamHeadParts, upstreamHeadText } from './proxy-heads.ts';
import type { EngineMetrics, RouterMetrics } from './router-metrics.ts';
import { type Usage, usageNear } from './usage.ts';

/** An engine as the proxy needs it. */
export interface ProxyTarget {
  readonly url: string;
  /** Value of the Host header. */
  readonly host: string;
  /** Path in the engine's URL, without a trailing slash. */
  readonly basePath: string;
  readonly pool: UpstreamPool;
  readonly metrics: EngineMetrics;
}

/** What all proxied requests share. */
export interface ProxyContext {
  readonly core: RoutingCore;
  readonly metrics: RouterMetrics;
  readonly log: Logger;
  /** Further engines to try after the first. */
  readonly reroutesMax: number;
  readonly authorization: UpstreamHeadParts['authorization'];
  /** Whether answers say why their engine was picked. */
  readonly pickHeader: boolean;
  target(url: string): ProxyTarget;
  /** No connection, or it broke before the first byte: the engine is out until it answers. */
  engineFailed(url: string, why: string): void;
  /** A request id that no other attempt under way has. */
  attemptId(requestId: string): string;
  attemptEnded(attemptId: string): void;
}

export interface ProxiedRequestOptions {
  readonly exchange: ServerExchange;
  readonly request: RoutingRequest;
  readonly body: Buffer;
  /** Whether the end of the answer may tell token counts in a chunk of its own. */
  readonly expectsUsage: boolean;
  readonly arrivedAtMs: number;
}

const noBody = Buffer.alloc(0);

export class ProxiedRequest implements ResponseSink {
  readonly #context: ProxyContext;
  readonly #exchange: ServerExchange;
  readonly #request: RoutingRequest;
  readonly #expectsUsage: boolean;
  readonly #arrivedAtMs: number;
  /** Let go once the answer has begun: no retry will need it. */
  #body: Buffer;
  #tried: Set<string> | undefined = undefined;
  #attempts = 0;
  #attemptId = '';
  #ticket: Ticket | undefined = undefined;
  #target: ProxyTarget | undefined = undefined;
  #upstream: UpstreamExchange | undefined = undefined;
  #sentAtMs = 0;
  #status = 0;
  #eventStream = false;
  #firstByteSeen = false;
  /** Set when the client cannot read chunks (HTTP/1.0): takes them apart. */
  #decoder: ChunkedReader | undefined = undefined;
  #usage: Usage | undefined = undefined;
  /** The engine wrote an error event into its stream. */
  #errorEvent = false;
  #paused = false;

  constructor(context: ProxyContext, options: ProxiedRequestOptions) {
    this.#context = context;
    this.#exchange = options.exchange;
    this.#request = options.request;
    this.#body = options.body;
    this.#expectsUsage = options.expectsUsage;
    this.#arrivedAtMs = options.arrivedAtMs;
    this.#exchange.onClientGone = () => this.#onClientGone();
    this.#exchange.onDrain = () => this.#onDrain();
  }

  /** Picks an engine and sends the request there. */
  start(): void {
    try {
      const ticket = this.#context.core.route(this.#request);
      this.#context.metrics.routed(this.#request.model);
      this.#send(ticket);
    } catch (error) {
      this.#refuse(error);
    }
  }

  onHead(head: ResponseHead, bytes: Buffer, ended: boolean): boolean {
    if (head.status === 503 && this.#sendElsewhere('failed')) {
      // The rest of this answer interests nobody.
      return false;
    }
    this.#status = head.status;
    this.#body = noBody;
    this.#eventStream = /^text\/event-stream/i.test(head.headers.get('content-type') ?? '');
    const headText = this.#headText(head);
    this.#exchange.begin(headText, this.#decodable(bytes));
    if (bytes.length > 0) this.#onFirstByte();
    this.#look(bytes, ended);
    if (ended) this.#complete();
    else if (this.#exchange.congested) this.#pause();
    return false;
  }

  onBytes(bytes: Buffer, ended: boolean): boolean {
    if (!this.#firstByteSeen && bytes.length > 0) this.#onFirstByte();
    this.#look(bytes, ended);
    let kept = false;
    if (this.#decoder !== undefined) this.#exchange.write(this.#decode(this.#decoder, bytes));
    else if (bytes.length > 0) kept = this.#exchange.write(bytes);
    if (ended) this.#complete();
    else if (this.#exchange.congested) this.#pause();
    return kept;
  }

  onFailure(failure: UpstreamFailure): void {
    const { url, metrics } = this.#target as ProxyTarget;
    metrics.error(this.#request.model, failure.kind);
    if (!failure.answered && (failure.kind === 'connect' || failure.kind === 'reset')) {
      this.#context.engineFailed(url, failure.message);
      if (this.#sendElsewhere('failed')) return;
    }
    this.#finish({ status: 'failed' });
    const message = `Engine ${url}: ${failure.message}.`;
    this.#context.log.warning(`request ${this.#request.id} failed at ${url}: ${failure.message}`);
    if (!this.#exchange.begun) {
      const status = failure.kind === 'timeout' ? 504 : failure.kind === 'connect' ? 503 : 502;
      this.#status = status;
      answerError(this.#exchange, { status, message }, this.#request.id);
      return;
    }
    this.#breakOff(failure, message);
  }

  #send(ticket: Ticket): void {
    const { url } = ticket.pick.endpoint;
    const target = this.#context.target(url);
    const attemptId = this.#context.attemptId(this.#request.id);
    this.#ticket = ticket;
    this.#target = target;
    this.#attemptId = attemptId;
    this.#attempts++;
    const head = upstreamHeadText(this.#exchange.head, {
      host: target.host,
      basePath: target.basePath,
      target: this.#exchange.head.target,
      bodyBytes: this.#body.length,
      requestId: attemptId,
      authorization: this.#context.authorization,
    });
    ticket.sent();
    const nowMs = performance.now();
    this.#sentAtMs = nowMs;
    target.metrics.rate.count(nowMs / 1000);
    if (this.#context.log.infoEnabled) this.#logPick(url, nowMs);
    const toHead = this.#exchange.head.method === 'HEAD';
    const body = this.#body.length > 0 ? this.#body : undefined;
    this.#upstream = target.pool.send({ head, body, toHead }, this);
  }

  /** The line that upstream's end-to-end tests read. */
  #logPick(url: string, nowMs: number): void {
    const { id, session } = this.#request;
    const at = (performance.timeOrigin + nowMs) / 1000;
    const took = (nowMs - this.#arrivedAtMs) / 1000;
    this.#context.log.info(
      `Routing request ${id} with session id ${session ?? 'None'} to ${url} at ${at}, ` +
        `process time = ${took.toFixed(4)}`,
    );
  }

  /** @returns Whether another engine has the request now. */
  #sendElsewhere(status: Outcome['status']): boolean {
    if (this.#attempts > this.#context.reroutesMax || this.#exchange.begun) return false;
    const { url, metrics } = this.#target as ProxyTarget;
    this.#tried ??= new Set();
    this.#tried.add(url);
    let ticket: Ticket;
    try {
      ticket = this.#context.core.route(this.#request, this.#tried);
    } catch {
      return false;
    }
    this.#upstream?.abort();
    this.#finishAttempt({ status });
    metrics.reroutes.inc();
    this.#context.log.warning(
      `request ${this.#request.id}: ${url} failed, trying ${ticket.pick.endpoint.url}`,
    );
    this.#send(ticket);
    return true;
  }

  #headText(head: ResponseHead): string {
    let framing = '';
    if (head.framing === 'length' || (head.framing === 'none' && head.contentLength >= 0)) {
      framing = `content-length: ${head.contentLength}\r\n`;
    } else if (head.framing === 'chunked') {
      if (this.#exchange.head.minorVersion === 1) framing = 'transfer-encoding: chunked\r\n';
      else {
        this.#decoder = new ChunkedReader();
        this.#exchange.closeAfterwards();
      }
    } else if (head.framing === 'until-close') this.#exchange.closeAfterwards();
    const { pick } = this.#ticket as Ticket;
    let ours = `x-request-id: ${this.#request.id}\r\nx-spillway-engine: ${pick.endpoint.url}\r\n`;
    if (this.#context.pickHeader) ours += `x-spillway-pick: ${printable(pick.reason)}\r\n`;
    return downstreamHeadText(head, framing, ours + this.#exchange.connectionLine);
  }

  #decodable(bytes: Buffer): Buffer {
    return this.#decoder === undefined ? bytes : this.#decode(this.#decoder, bytes);
  }

  #decode(decoder: ChunkedReader, bytes: Buffer): Buffer {
    const spans: Buffer[] = [];
    decoder.read(bytes, 0, bytes.length, (from, start, end) => {
      spans.push(from.subarray(start, end));
    });
    return Buffer.concat(spans);
  }

  #onFirstByte(): void {
    this.#firstByteSeen = true;
    this.#ticket?.firstByte();
    this.#target?.metrics.firstByteSeconds.observe((performance.now() - this.#sentAtMs) / 1000);
  }

  /** Looks for token counts where they can be, at no cost elsewhere. */
  #look(bytes: Buffer, ended: boolean): void {
    if (ended || this.#expectsUsage) this.#usage = usageNear(bytes) ?? this.#usage;
    if (this.#eventStream && bytes.length < 4096 && bytes.includes('data: {"error"')) {
      this.#errorEvent = true;
    }
  }

  #complete(): void {
    const failed = this.#status >= 500 || this.#errorEvent;
    if (failed) this.#target?.metrics.error(this.#request.model, 'answer');
    this.#finish({ status: failed ? 'failed' : 'completed', ...this.#usage });
    this.#exchange.end();
  }

  /** The client has part of an answer that will not be whole: make that plain to it. */
  #breakOff(failure: UpstreamFailure, message: string): void {
    if (!this.#eventStream || !failure.betweenChunks) {
      this.#exchange.destroy();
      return;
    }
    // The blank lines end an event that was cut in two.
    const event = `\n\ndata: ${openAiErrorJson({ status: 502, message })}\n\n`;
    const framed =
      this.#decoder === undefined
        ? `${Buffer.byteLength(event).toString(16)}\r\n${event}\r\n`
        : event;
    this.#exchange.write(Buffer.from(framed));
    // Without the last chunk, so that clients that do not know error events see a cut as well.
    this.#exchange.closeAfterwards();
    this.#exchange.end();
  }

  #refuse(error: unknown): void {
    const { model, id } = this.#request;
    this.#context.metrics.refused(error instanceof UnknownModelError ? undefined : model);
    if (error instanceof UnknownModelError || error instanceof NoEndpointError) {
      const param = error instanceof UnknownModelError ? 'model' : undefined;
      const { httpStatus: status, message } = error;
      answerError(this.#exchange, { status, message, param }, id);
      return;
    }
    this.#context.log.error(`request ${id}: ${error instanceof Error ? error.stack : error}`);
    answerError(this.#exchange, { status: 500, message: 'The router failed; see its log.' }, id);
  }

  #finish(outcome: Outcome): void {
    this.#finishAttempt(outcome);
    const seconds = (performance.now() - this.#arrivedAtMs) / 1000;
    this.#target?.metrics.finished(this.#request.model, this.#status, outcome, seconds);
  }

  #finishAttempt(outcome: Outcome): void {
    this.#ticket?.finish(outcome);
    this.#ticket = undefined;
    this.#upstream = undefined;
    this.#context.attemptEnded(this.#attemptId);
  }

  #onClientGone(): void {
    this.#upstream?.abort();
    // 499 is nginx's status for a client that left.
    this.#status = 499;
    this.#finish({ status: 'cancelled' });
  }

  #pause(): void {
    this.#paused = true;
    this.#upstream?.pause();
  }

  #onDrain(): void {
    if (!this.#paused) return;
    this.#paused = false;
    this.#upstream?.resume();
  }
}

/** A reason may quote what a client sent: nothing of it may end the header line. */
function printable(text: string): string {
  return /[^\x20-\x7e]/.test(text) ? text.replace(/[^\x20-\x7e]/g, '?') : text;
}
