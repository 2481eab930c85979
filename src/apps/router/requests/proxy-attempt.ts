// One attempt of a proxied request: its ticket, its connection to the engine, and a head that is held back.

import type { AttemptOutcome, EngineAttempt, HeadVerdict } from '../../../core/attempts/index.ts';
import type { Outcome, Pick, RoutingRequest, Ticket } from '../../../core/routing/index.ts';
import type {
  ResponseHead,
  ResponseSink,
  ServerExchange,
  UpstreamExchange,
  UpstreamFailure,
} from '../../../io/http/index.ts';
import type { AttemptTrace } from './attempt-trace.ts';
import { beginsAsUsual, FirstEvent } from './first-event.ts';
import { HeldRefusal } from './held-refusal.ts';
import type { ProxyContext } from './proxy-context.ts';
import { isEventStream, upstreamHeadText } from './proxy-heads.ts';
import type { ProxyTarget } from './proxy-target.ts';
import type { RequestTrace } from './request-trace.ts';
import type { SentBody } from './sent-body.ts';

/** The request that an attempt belongs to. */
export interface AttemptOwner {
  readonly exchange: ServerExchange;
  /** Undefined if the router does not trace. */
  readonly trace: RequestTrace | undefined;
  /** See `ProxiedRequestOptions`. */
  readonly isRepeatable: boolean;
  /** The attempt is being sent. @returns The body that its engine gets. */
  sending(attempt: ProxyAttempt): SentBody;
  /** See `AttemptMachine.responseHead`. */
  headOf(attempt: ProxyAttempt, status: number, hasBody: boolean): HeadVerdict;
  /** The head that passed is that of a stream whose first event is an error, which no other engine spared the client. */
  beginsWithError(): void;
  /** The head has arrived, and no data yet. */
  holds(attempt: ProxyAttempt, head: ResponseHead): void;
  /** Relays a head that passed, and the bytes that came with it. @returns Whether `bytes` must stay as they are. */
  begin(head: ResponseHead, bytes: Buffer, ended: boolean, chunks: number): boolean;
  /** Relays bytes of the body. @returns Whether they must stay as they are after the call. */
  relay(bytes: Buffer, ended: boolean, chunks: number): boolean;
  failed(attempt: ProxyAttempt, failure: UpstreamFailure): void;
  /** The first byte of the body has arrived, and it is no error. */
  hasFirstByte(attempt: ProxyAttempt, nowMs: number): void;
  /** The attempt is over. @returns Its outcome with what is known of its tokens. */
  outcomeOf(status: AttemptOutcome): Outcome;
}

const noBody = Buffer.alloc(0);
/** As engines name it in errors. */
const askedMember = 'return_token_ids';

export class ProxyAttempt implements EngineAttempt, ResponseSink {
  readonly target: ProxyTarget;
  readonly #context: ProxyContext;
  readonly #owner: AttemptOwner;
  readonly #ticket: Ticket;
  #id = '';
  #upstream: UpstreamExchange | undefined = undefined;
  /** Whether the engine was asked for the ids of tokens. */
  #asksTokenIds = false;
  /** Of its response; 0 before. */
  #status = 0;
  /** A refusal that may be about that. */
  #refusal: HeldRefusal | undefined = undefined;
  #sentAtMs = 0;
  /** A head whose body has not begun: it is relayed with the first bytes of the body. */
  #heldHead: ResponseHead | undefined = undefined;
  /** The start of a stream, which may be an error. */
  #firstEvent: FirstEvent | undefined = undefined;
  #failure: UpstreamFailure | undefined = undefined;
  #trace: AttemptTrace | undefined = undefined;

  constructor(context: ProxyContext, owner: AttemptOwner, ticket: Ticket) {
    this.#context = context;
    this.#owner = owner;
    this.#ticket = ticket;
    this.target = context.target(ticket.pick.endpoint.url);
  }

  get url(): string {
    return this.#ticket.pick.endpoint.url;
  }

  get pick(): Pick {
    return this.#ticket.pick;
  }

  get predictedSeconds(): number | undefined {
    return this.#ticket.predictedSeconds;
  }

  get prefillTokens(): number {
    return this.#ticket.prefillTokens;
  }

  /** Whether more of the body could follow at the current position; undefined if it is over. */
  get betweenChunks(): boolean | undefined {
    return this.#upstream?.betweenChunks;
  }

  pause(): void {
    this.#upstream?.pause();
  }

  resume(): void {
    this.#upstream?.resume();
  }

  /** Counts a failure of the engine. */
  countError(kind: string): void {
    this.target.metrics.error(this.#request.model, kind);
  }

  // Actions that the machine requests.

  unpick(): void {
    this.#ticket.finish({ status: 'cancelled' });
  }

  send(): void {
    const { target } = this;
    this.#id = this.#context.attemptId(this.#request.id);
    const body = this.#owner.sending(this);
    const { cause } = this.#ticket;
    const nowMs = performance.now();
    this.#sentAtMs = nowMs;
    this.#trace = this.#owner.trace?.attempt(target, this.pick, cause, nowMs);
    this.#ticket.sent();
    target.metrics.picked(cause);
    target.metrics.rate.count(nowMs / 1000);
    this.#transmit(body);
  }

  #transmit({ start, rest, asksTokenIds = false }: SentBody): void {
    const { target } = this;
    const { exchange, isRepeatable } = this.#owner;
    this.#asksTokenIds = asksTokenIds;
    const head = upstreamHeadText(exchange.head, {
      host: target.host,
      basePath: target.basePath,
      target: exchange.target,
      bodyBytes: start.length + rest.length,
      requestId: this.#id,
      traceparent: this.#trace?.traceparent,
      authorization: target.authorization ?? this.#context.authorization,
    });
    const toHead = exchange.head.method === 'HEAD';
    const body = rest.length > 0 ? rest : undefined;
    const request = { head: head + start, body, toHead, isUnrepeatable: !isRepeatable };
    this.#upstream = target.pool.send(request, this);
  }

  abort(): void {
    this.#upstream?.abort();
  }

  engineOut(): void {
    const { message } = this.#failure as UpstreamFailure;
    this.#context.engineFailed(this.url, message);
  }

  engineSuspected(): void {
    this.#context.engineSuspected(this.url);
  }

  lacksModel(): void {
    this.#context.modelMissing(this.url);
  }

  firstByte(): void {
    const { predictedSeconds } = this.#ticket;
    this.#ticket.firstByte();
    this.#context.admission?.roomMade();
    const nowMs = performance.now();
    this.target.metrics.firstByte((nowMs - this.#sentAtMs) / 1000, predictedSeconds);
    this.#trace?.firstByte(nowMs);
    this.#owner.hasFirstByte(this, nowMs);
  }

  progressed(): void {
    this.#ticket.progressed();
  }

  outrun(): void {
    this.#ticket.outrun();
  }

  broke(): void {
    this.#ticket.broke();
  }

  ended(status: AttemptOutcome): void {
    const outcome = this.#owner.outcomeOf(status);
    this.#ticket.finish(this.#status < 400 ? outcome : { ...outcome, isRefused: true });
    this.#trace?.ended(status, this.#failure?.message);
    this.#upstream = undefined;
    this.#context.attemptEnded(this.#id);
    this.#context.admission?.roomMade();
  }

  // Events of the engine's socket.

  onHead(head: ResponseHead, bytes: Buffer, ended: boolean, chunks: number): boolean {
    const { status, framing } = head;
    if (this.#asksTokenIds && (status === 400 || status === 422)) {
      this.#refusal ??= new HeldRefusal(head);
      return this.#holdRefusal(this.#refusal, bytes, ended, chunks);
    }
    if (status !== 200 || !isEventStream(head)) {
      return this.#passHead(head, status, bytes, ended, chunks);
    }
    const isEmpty = bytes.length === 0 && !ended;
    if (this.#firstEvent === undefined) {
      const isKnown = isEmpty || beginsAsUsual(bytes, framing === 'chunked');
      if (isKnown) return this.#passHead(head, status, bytes, ended, chunks);
    }
    this.#firstEvent ??= new FirstEvent(head);
    const first = this.#firstEvent;
    const start = isEmpty ? undefined : first.take(bytes, ended, chunks);
    if (start === undefined) return this.#passHead(head, status, noBody, false, 0);
    // An error in the first event is an error in place of the response.
    this.#passHead(head, first.errorStatus ?? status, start, ended, first.chunks);
    // The start is a copy.
    return false;
  }

  /** Sends the request again without what the engine refuses, if it refuses that; otherwise passes the refusal on. */
  #holdRefusal(refusal: HeldRefusal, bytes: Buffer, ended: boolean, chunks: number): false {
    const isWhole = refusal.add(bytes, chunks);
    if (isWhole && !ended) return false;
    this.#refusal = undefined;
    if (isWhole && refusal.names(askedMember)) {
      this.target.refusedTokenIds();
      this.#transmit(this.#owner.sending(this));
      return false;
    }
    this.#asksTokenIds = false;
    this.onHead(refusal.head, refusal.bytes, ended, refusal.chunks);
    return false;
  }

  /** @returns Whether the bytes must stay as they are after the call. */
  #passHead(
    head: ResponseHead,
    status: number,
    bytes: Buffer,
    ended: boolean,
    chunks: number,
  ): boolean {
    this.#status = status;
    if (this.#trace !== undefined) this.#trace.status = status;
    const verdict = this.#owner.headOf(this, status, ended || bytes.length > 0);
    this.#heldHead = verdict === 'hold' ? head : undefined;
    if (verdict === 'hold') this.#owner.holds(this, head);
    if (verdict !== 'pass') return false;
    if (status !== head.status) this.#owner.beginsWithError();
    return this.#owner.begin(head, bytes, ended, chunks);
  }

  onBytes(bytes: Buffer, ended: boolean, chunks: number): boolean {
    if (this.#refusal !== undefined) return this.#holdRefusal(this.#refusal, bytes, ended, chunks);
    const held = this.#heldHead;
    if (held !== undefined) return this.onHead(held, bytes, ended, chunks);
    return this.#owner.relay(bytes, ended, chunks);
  }

  onFailure(failure: UpstreamFailure): void {
    this.#failure = failure;
    this.countError(failure.kind);
    this.#owner.failed(this, failure);
  }

  get #request(): RoutingRequest {
    return this.#ticket.request;
  }
}
