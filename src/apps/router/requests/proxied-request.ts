// One client request as the router proxies it: drives `AttemptMachine` with sockets. The machine
// decides what happens; this file carries it out.
import {
  type AdmissionPlace,
  type AttemptDeadline,
  type AttemptEffects,
  AttemptMachine,
  type AttemptOutcome,
  type Continuation,
  type ContinuationLoss,
  type EngineAttempt,
  type HeadVerdict,
  type HedgeOutcome,
  type RefusalCause,
  type Rejection,
  type RetryPolicy,
} from '../../../core/attempts/index.ts';
import type { StreamFault } from '../../../core/migration/index.ts';
import type { Outcome, RoutingRequest } from '../../../core/routing/index.ts';
import type {
  ExchangeListener,
  ResponseHead,
  ServerExchange,
  UpstreamFailure,
} from '../../../io/http/index.ts';
import { answerError } from './answer.ts';
import { clientPatience } from './client-patience.ts';
import type { SplitKind } from './handoff-bodies.ts';
import { engineUnavailableCode, type OpenAiError } from './openai-error.ts';
import { PrefillHandoff } from './prefill-handoff.ts';
import { type AttemptOwner, ProxyAttempt } from './proxy-attempt.ts';
import type { ProxyContext } from './proxy-context.ts';
import { deadlineMessage, pickRefusal, stoppingError } from './refusals.ts';
import { RequestRecord } from './request-record.ts';
import { RequestTrace } from './request-trace.ts';
import { ResponseRelay } from './response-relay.ts';
import { rejectionError } from './router-admission.ts';
import type { SentBody } from './sent-body.ts';
import { SilentStart } from './silent-start.ts';
import { takesComments } from './sse-keep-alive.ts';
import { type MigrationPlan, StreamMigration, type TokensOf } from './stream-migration.ts';

export interface ProxiedRequestOptions {
  readonly exchange: ServerExchange;
  readonly request: RoutingRequest;
  readonly body: Buffer;
  /** Whether the response may end with token counts in a separate chunk. */
  readonly expectsUsage: boolean;
  /** Whether the response is generated text. */
  readonly generates: boolean;
  /** `priority` of the body. */
  readonly priority?: number | undefined;
  readonly arrivedAtMs: number;
  /** Whether it may be sent to two engines at once. */
  readonly isHedged: boolean;
  /** Whether a second engine may work on it after one that may have begun it. @default true */
  readonly isRepeatable?: boolean;
  /** How a streamed response can move to another engine; undefined if it is not streamed. */
  readonly migration: MigrationPlan | undefined;
  /** Where some engines prefill for others: how the request is split; undefined for one that any engine may serve. */
  readonly handoff?: SplitKind | 'whole' | undefined;
}

const noBody = Buffer.alloc(0);

/** One request's way through the router: its machine decides, this moves the bytes. */
export class ProxiedRequest implements ExchangeListener, AttemptOwner, AttemptEffects {
  readonly exchange: ServerExchange;
  readonly trace: RequestTrace | undefined;
  readonly isRepeatable: boolean;
  readonly #context: ProxyContext;
  /** The request as it arrived, and what remains of it. */
  readonly #first: RoutingRequest;
  #request: RoutingRequest;
  readonly #migration: StreamMigration | undefined;
  /** Undefined unless another engine prefills. */
  readonly #handoff: PrefillHandoff | undefined;
  readonly #record: RequestRecord;
  /** Undefined if silent streams get no comments. */
  readonly #silentStart: SilentStart | undefined;
  readonly #generates: boolean;
  readonly #machine: AttemptMachine;
  readonly #relay: ResponseRelay;
  /** Released once the response has begun, if it cannot move. */
  #body: Buffer;
  #pickError: unknown = undefined;
  /** The attempt in flight, or the last one. */
  #attempt: ProxyAttempt | undefined = undefined;
  /** The second one beside it. */
  #hedge: ProxyAttempt | undefined = undefined;
  #failure: UpstreamFailure | undefined = undefined;
  /** Whether it counts as arrived. */
  #isCounted = false;
  /** Its place in the admission queue; stays when it has left. */
  #place: AdmissionPlace | undefined = undefined;
  #rejection: Rejection | undefined = undefined;
  readonly #priority: number | undefined;
  readonly #patienceSeconds: number;
  #isWhole = false;
  #isStopped = false;

  constructor(context: ProxyContext, options: ProxiedRequestOptions) {
    const { exchange, request, expectsUsage } = options;
    this.#context = context;
    this.exchange = exchange;
    this.#first = request;
    this.#request = request;
    this.#body = options.body;
    this.isRepeatable = options.isRepeatable ?? true;
    this.trace =
      context.tracing && new RequestTrace(context.tracing, exchange, options.arrivedAtMs);
    this.#record = new RequestRecord(context, options, this.trace);
    this.#generates = options.generates;
    this.#migration =
      options.migration && new StreamMigration(context.migration, options.migration);
    const { handoff } = options;
    this.#handoff =
      handoff && context.handoffs && new PrefillHandoff(context.handoffs, this, handoff);
    const { retryBudget, watch } = context;
    const retryPolicy = retryPolicyOf(context, options);
    const patience = clientPatience(exchange.head.headers, request.stream);
    const isHedged = options.isHedged && this.#handoff === undefined;
    const hedges = context.hedging?.planOf(request, isHedged, options.body);
    this.#machine = new AttemptMachine(this, retryPolicy, retryBudget, watch, patience, hedges);
    this.#priority = options.priority;
    this.#patienceSeconds = Math.min(patience.totalSeconds, patience.firstByteSeconds);
    const pickHeader = context.sight.isOpen;
    this.#relay = new ResponseRelay({ exchange, requestId: request.id, expectsUsage, pickHeader });
    this.#silentStart =
      context.keepAlive &&
      new SilentStart(context.keepAlive, exchange, (head, comment) => this.#open(head, comment));
    exchange.listener = this;
  }

  /** The engine of the attempt in flight, or of the last one. */
  protected get engineUrl(): string | undefined {
    return this.#attempt?.url;
  }

  /** Whether that engine writes the rest of a response only, of which others have written the beginning. */
  protected get writesRest(): boolean {
    return this.#migration !== undefined && this.#migration.sentTokens > 0;
  }

  /** Picks an engine and sends the request there, at once or when an engine has room for it. */
  start(): void {
    const { admission } = this.#context;
    if (admission === undefined || !this.#generates || admission.isOpen(this.#request)) {
      this.#machine.admit();
      return;
    }
    // An autoscaler that counts arrivals starts an engine for it.
    if (this.#context.core.mayReturn(this.#request.model)) {
      this.#isCounted = true;
      this.#context.metrics.routed(this.#request.model);
    }
    this.#place = admission.enter({
      ...{ exchange: this.exchange, request: this.#request, priority: this.#priority },
      patienceSeconds: this.#patienceSeconds,
      admitted: () => this.#machine.admit(),
      rejected: (rejection) => {
        this.#rejection = rejection;
        this.#machine.reject(rejection.status);
      },
    });
  }

  // Events of the client's connection.

  onClientGone(): void {
    this.#machine.cancel();
  }

  /** The router stops, and the time for requests in flight is over. */
  onStop(): void {
    this.#isStopped = true;
    // The connection, which knows it, is gone after the machine's turn.
    const betweenChunks = this.#attempt?.betweenChunks === true;
    const { message } = stoppingError;
    this.#failure = { kind: 'reset', message, answered: true, betweenChunks };
    this.#machine.stop();
  }

  onDrain(): void {
    this.#machine.clientSlow(false);
    this.#attempt?.resume();
  }

  // Events of its attempts.

  sending(attempt: ProxyAttempt): SentBody {
    if (attempt !== this.#hedge) {
      this.#silentStart?.dropHead();
      this.#attempt = attempt;
    }
    this.#record.sending(attempt.url);
    const body = this.#migration?.body(this.#body, attempt.target.takesTokenIds) ?? {
      start: '',
      rest: this.#body,
    };
    this.#migration?.sent();
    return this.#handoff?.bodyOf(body, attempt) ?? body;
  }

  prefilling(attempt: ProxyAttempt): Buffer {
    this.#attempt = attempt;
    this.#record.sending(attempt.url);
    return this.#body;
  }

  prefilled(): void {
    this.#machine.handedOver();
    this.#machine.proceed();
  }

  prefillFailed(why: string): void {
    this.#failure = { kind: 'syntax', message: why, answered: true, betweenChunks: true };
    this.#attempt?.countError('answer');
    this.#attempt?.abort();
    this.#machine.attemptFailed('syntax');
  }

  headOf(attempt: ProxyAttempt, status: number, hasBody: boolean): HeadVerdict {
    return this.#machine.responseHead(status, hasBody, attempt);
  }

  beginsWithError(): void {
    this.#migration?.refuse();
  }

  relay(bytes: Buffer, ended: boolean, chunks: number): boolean {
    this.#record.timing.read(chunks, ended);
    if (bytes.length > 0) this.#machine.responseBytes(chunks);
    const migration = this.#migration;
    let isKept: boolean;
    if (migration?.isFollowed) {
      const taken = this.#taken(bytes, ended);
      isKept = taken === bytes && this.#relay.write(bytes, ended, migration.isUsual);
      if (taken !== undefined && taken !== bytes) this.#relay.write(taken, ended);
    } else isKept = this.#relay.write(bytes, ended);
    this.#wentOn(ended);
    return isKept;
  }

  holds(attempt: ProxyAttempt, head: ResponseHead): void {
    if (attempt === this.#attempt) this.#silentStart?.hold(head);
  }

  /** Begins the response before there is data. */
  #open(head: ResponseHead, comment: Buffer): void {
    const { pick, target } = this.#attempt as ProxyAttempt;
    this.#relay.begin(head, comment, false, { pick, headerLines: target.headerLines });
  }

  failed(attempt: ProxyAttempt, failure: UpstreamFailure): void {
    const { kind } = failure;
    if (attempt === this.#attempt) this.#failure = failure;
    // The pool's own timeouts are off, except for connecting, which is reported as such.
    this.#machine.attemptFailed(kind === 'timeout' ? 'reset' : kind, attempt);
  }

  begin(head: ResponseHead, bytes: Buffer, ended: boolean, chunks: number): boolean {
    const { pick, target } = this.#attempt as ProxyAttempt;
    const { headerLines } = target;
    this.#record.timing.begun(chunks);
    this.#migration?.begin(head, this.exchange.head.minorVersion);
    const isFollowed = this.#migration?.isFollowed === true;
    const isFirst = !this.exchange.begun;
    const wasOnlyOpen = this.#silentStart?.begun() === true;
    if (wasOnlyOpen && !takesComments(head)) {
      this.#failWith('mismatch', `its response is no stream, and has status ${head.status}`);
      return false;
    }
    if (!isFollowed && !isFirst && !wasOnlyOpen) {
      this.#failWith('mismatch', 'its response is no stream');
      return false;
    }
    const taken = isFollowed ? this.#taken(bytes, ended) : bytes;
    let isKept = false;
    if (isFirst) this.#relay.begin(head, taken ?? noBody, ended, { pick, headerLines });
    else if (taken !== undefined) isKept = this.#relay.write(taken, ended) && taken === bytes;
    if (bytes.length > 0) this.#machine.responseBytes(chunks);
    if (!isFollowed) this.#body = noBody;
    this.#wentOn(ended);
    return isKept;
  }

  /** What the client gets of a read of a stream that can move. */
  #taken(bytes: Buffer, ended: boolean): Buffer | undefined {
    return this.#migration?.take(bytes, this.#attempt?.betweenChunks === true, ended);
  }

  /** A read has been relayed. */
  #wentOn(ended: boolean): void {
    const fault = this.#migration?.fault;
    if (fault !== undefined && this.#leaves(fault)) return;
    if (ended) this.#end();
    else if (this.exchange.congested) this.#pause();
  }

  /** @returns Whether the engine is left; if no other one can continue, its own last events are passed on. */
  #leaves({ kind, message }: StreamFault): boolean {
    const migration = this.#migration as StreamMigration;
    if (kind !== 'event' || migration.leave(this.#body, kind, this.#tokensOf) !== 'impossible') {
      this.#failWith(kind, message);
      return true;
    }
    const withheld = migration.release();
    if (withheld !== undefined) this.#relay.write(withheld, true);
    return false;
  }

  /** The engine has ended the stream early, on a connection that still works. */
  #failWith(kind: StreamFault['kind'], message: string): void {
    this.#failure = { kind: 'truncated', message, answered: true, betweenChunks: true };
    if (kind !== 'event') this.#migration?.lost(kind);
    this.#attempt?.countError('answer');
    this.#attempt?.abort();
    this.#machine.attemptFailed(kind === 'event' ? kind : 'mismatch');
  }

  // Actions that the machine requests.

  pick(tried: ReadonlySet<string> | undefined): EngineAttempt | undefined {
    const { core, metrics } = this.#context;
    try {
      const handoff = this.#handoff;
      const ticket = handoff?.route(this.#request, tried) ?? core.route(this.#request, tried);
      if (tried === undefined && !this.#isCounted) metrics.routed(this.#request.model);
      this.#isCounted = true;
      return new ProxyAttempt(this.#context, handoff?.isPrefilling ? handoff : this, ticket);
    } catch (error) {
      this.#pickError = error;
      return undefined;
    }
  }

  secondsWithoutEngine(): number | undefined {
    return this.#context.core.secondsWithoutEngine(this.#request);
  }

  pickHedge(tried: ReadonlySet<string>): EngineAttempt | undefined {
    const ticket = this.#context.hedging?.pick(this.#request, this.#body, tried);
    this.#hedge = ticket && new ProxyAttempt(this.#context, this, ticket);
    return this.#hedge;
  }

  hedgeEnded(outcome: HedgeOutcome): void {
    const { url } = this.#attempt as ProxyAttempt;
    this.#context.hedging?.ended(url, outcome);
    this.#record.hedgeEnded(url, this.#hedge?.url, outcome);
    if (outcome === 'won') {
      this.#attempt = this.#hedge;
      this.#silentStart?.dropHead();
    }
    this.#hedge = undefined;
  }

  expired(deadline: AttemptDeadline, seconds: number): void {
    const { metrics } = this.#context;
    metrics.deadlines.with({ server: this.#attempt?.url ?? '', deadline }).inc();
    if (deadline !== 'total') this.#attempt?.countError('timeout');
    const message = deadlineMessage(deadline, seconds);
    const betweenChunks = this.#attempt?.betweenChunks === true;
    this.#failure = { kind: 'timeout', message, answered: false, betweenChunks };
  }

  hasFirstByte({ target: { metrics } }: ProxyAttempt, nowMs: number): void {
    this.#record.firstByte(metrics, this.#relay.isEventStream, nowMs);
  }

  outcomeOf(status: AttemptOutcome): Outcome {
    return this.#record.attemptEnded(status, this.#isWhole ? this.#relay.usage : undefined);
  }

  continuation(): Continuation {
    const migration = this.#migration;
    if (migration === undefined) return 'impossible';
    const { kind } = this.#failure as UpstreamFailure;
    const continuation = migration.leave(this.#body, kind, this.#tokensOf);
    if (continuation === 'possible') this.#request = restOf(this.#first, migration.sentTokens);
    return continuation;
  }

  notContinued(why: ContinuationLoss): void {
    this.#migration?.lost(why);
  }

  rerouted(to: EngineAttempt): void {
    const { target } = this.#attempt as ProxyAttempt;
    // A response that had begun counts among the migrations.
    if (!this.exchange.begun || this.#isOnlyOpen) target.metrics.reroutes.inc();
    this.#record.rerouted(target, this.#context.target(to.url));
  }

  refuse(cause: RefusalCause): void {
    if (cause === 'noEngine') this.#refuseWithoutEngine(this.#pickError);
    else if (cause === 'stopping') this.#answer(stoppingError);
    else if (cause === 'rejected') this.#refuseOverloaded(this.#rejection as Rejection);
    else this.#answer({ status: cause, message: this.#failureMessage() });
  }

  /** @param headerLines Without CR LF. */
  #answer(given: OpenAiError, headerLines?: readonly string[]): void {
    const error = this.#first.isKept === true ? { code: engineUnavailableCode, ...given } : given;
    if (this.#isOnlyOpen) this.#relay.breakOff(true, error, 0);
    else answerError(this.exchange, error, this.#request.id, headerLines);
  }

  breakOff(): void {
    // What a stream that can move has relayed ends with an event.
    const betweenChunks =
      this.#migration?.isFollowed === true || this.#failure?.betweenChunks === true;
    const error = this.#isStopped
      ? stoppingError
      : { status: 502, message: this.#failureMessage() };
    this.#relay.breakOff(betweenChunks, error, this.#migration?.eventNumber);
  }

  complete(outcome: AttemptOutcome): void {
    if (outcome === 'failed') this.#attempt?.countError('answer');
    const closing = this.#migration?.closing;
    if (closing !== undefined) this.#relay.write(closing, true);
    this.exchange.end();
  }

  requestEnded(outcome: AttemptOutcome, status: number | undefined): void {
    const tokens = this.#migration?.tokens;
    if (tokens !== undefined) this.#record.wroteTokens(tokens);
    this.#migration?.close();
    this.#silentStart?.stop();
    if (this.#place !== undefined) this.#context.admission?.leave(this.#place);
    if (status !== undefined) this.#record.ended(this.#attempt?.target, outcome, status);
  }

  get #tokensOf(): TokensOf {
    return (kind, body) => this.#context.textTokens?.(this.#first, kind, body);
  }

  /** The response is complete. */
  #end(): void {
    this.#isWhole = true;
    this.#migration?.ended(this.#tokensOf, this.#body);
    this.#machine.responseEnd(this.#relay.hasErrorEvent);
  }

  #pause(): void {
    this.#machine.clientSlow(true);
    this.#attempt?.pause();
  }

  get #isOnlyOpen(): boolean {
    return this.#silentStart?.isOnlyOpen === true;
  }

  /** The message for the client, after the last attempt failed. */
  #failureMessage(): string {
    return this.#record.failed(this.#attempt?.target, this.#failure);
  }

  #refuseOverloaded(rejection: Rejection): void {
    this.#record.refused(rejection.status);
    const retryAfter = `Retry-After: ${rejection.retryAfterSeconds}`;
    this.#answer(rejectionError(rejection), [retryAfter]);
  }

  #refuseWithoutEngine(cause: unknown): void {
    const { error, isModelKnown, isBug } = pickRefusal(cause, this.#context);
    this.#record.refused(error.status, isModelKnown);
    this.#record.ended(undefined, 'failed', error.status);
    if (isBug) this.#record.broke(cause);
    this.#answer(error);
  }
}

function retryPolicyOf(context: ProxyContext, options: ProxiedRequestOptions): RetryPolicy {
  if (options.isRepeatable === false) return context.unrepeatableRetryPolicy;
  // Routes that may be hedged keep nothing on an engine.
  return options.isHedged ? context.retryPolicy : context.keptRetryPolicy;
}

/** The rest of a request, as the policy sees it, when so many tokens of its response have been sent. */
function restOf(request: RoutingRequest, sentTokens: number): RoutingRequest {
  const { promptTokens, outputTokensMax } = request;
  return {
    ...request,
    promptTokens: promptTokens + sentTokens,
    outputTokensMax: outputTokensMax === undefined ? undefined : outputTokensMax - sentTokens,
  };
}
