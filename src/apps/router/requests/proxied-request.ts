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
} from '../../../core/attempts/index.ts';
import type { StreamFault } from '../../../core/migration/index.ts';
import {
  NoEndpointError,
  type Outcome,
  type RoutingRequest,
  UnknownModelError,
} from '../../../core/routing/index.ts';
import type {
  ExchangeListener,
  ResponseHead,
  ServerExchange,
  UpstreamFailure,
} from '../../../io/http/index.ts';
import { answerError } from './answer.ts';
import { clientPatience } from './client-patience.ts';
import type { OpenAiError } from './openai-error.ts';
import { type AttemptOwner, ProxyAttempt, type SentBody } from './proxy-attempt.ts';
import type { ProxyContext } from './proxy-context.ts';
import { ResponseRelay } from './response-relay.ts';
import { ResponseTiming } from './response-timing.ts';
import { rejectionError } from './router-admission.ts';
import { keepAliveChunk, type SilentStream, takesComments } from './sse-keep-alive.ts';
import { type MigrationPlan, StreamMigration } from './stream-migration.ts';

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
  /** How a streamed response can move to another engine; undefined if it is not streamed. */
  readonly migration: MigrationPlan | undefined;
}

const noBody = Buffer.alloc(0);
/** The error of a request whose response a stopping router does not complete. */
const stopping: OpenAiError = { status: 503, message: 'The router is shutting down.' };

export class ProxiedRequest
  implements ExchangeListener, AttemptOwner, AttemptEffects, SilentStream
{
  readonly exchange: ServerExchange;
  readonly #context: ProxyContext;
  /** The request as it arrived, and what remains of it. */
  readonly #first: RoutingRequest;
  #request: RoutingRequest;
  readonly #migration: StreamMigration | undefined;
  readonly #timing: ResponseTiming;
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
  /** Its place in the admission queue; stays when it has left. */
  #place: AdmissionPlace | undefined = undefined;
  #rejection: Rejection | undefined = undefined;
  readonly #priority: number | undefined;
  readonly #patienceSeconds: number;
  /** The head of an engine that has sent no data yet. */
  #heldHead: ResponseHead | undefined = undefined;
  /** Whether the client has a head and comments, and nothing else. */
  #isOnlyOpen = false;
  #isWhole = false;
  #isStopped = false;
  #outcome: Outcome = { status: 'cancelled' };
  #paused = false;

  constructor(context: ProxyContext, options: ProxiedRequestOptions) {
    const { exchange, request, expectsUsage } = options;
    this.#context = context;
    this.exchange = exchange;
    this.#first = request;
    this.#request = request;
    this.#body = options.body;
    this.#timing = new ResponseTiming(options.arrivedAtMs);
    this.#generates = options.generates;
    this.#migration =
      options.migration && new StreamMigration(context.migration, options.migration);
    const { retryPolicy, retryBudget, watch } = context;
    const patience = clientPatience(exchange.head.headers, request.stream);
    const hedges = context.hedging?.planOf(request, options.isHedged, options.body);
    this.#machine = new AttemptMachine(this, retryPolicy, retryBudget, watch, patience, hedges);
    this.#priority = options.priority;
    this.#patienceSeconds = Math.min(patience.totalSeconds, patience.firstByteSeconds);
    const { pickHeader } = context;
    this.#relay = new ResponseRelay({ exchange, requestId: request.id, expectsUsage, pickHeader });
    exchange.listener = this;
  }

  /** Picks an engine and sends the request there, at once or when an engine has room for it. */
  start(): void {
    const { admission } = this.#context;
    if (admission === undefined || !this.#generates || admission.isOpen(this.#request)) {
      this.#machine.admit();
      return;
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
    const betweenChunks = this.#attempt?.betweenChunks ?? false;
    const { message } = stopping;
    this.#failure = { kind: 'reset', message, answered: true, betweenChunks };
    this.#machine.stop();
  }

  onDrain(): void {
    if (!this.#paused) return;
    this.#paused = false;
    this.#machine.clientSlow(false);
    this.#attempt?.resume();
  }

  // Events of its attempts.

  sending(attempt: ProxyAttempt): SentBody {
    if (attempt !== this.#hedge) {
      this.#heldHead = undefined;
      this.#attempt = attempt;
    }
    if (this.#context.log.infoEnabled) this.#logPick(attempt.url);
    const body = this.#migration?.body(this.#body) ?? { start: '', rest: this.#body };
    this.#migration?.sent();
    return body;
  }

  headOf(attempt: ProxyAttempt, status: number, hasBody: boolean): HeadVerdict {
    return this.#machine.responseHead(status, hasBody, attempt);
  }

  beginsWithError(): void {
    this.#migration?.refuse();
  }

  relay(bytes: Buffer, ended: boolean, chunks: number): boolean {
    this.#timing.read(chunks, ended);
    if (bytes.length > 0) this.#machine.responseBytes(chunks);
    const taken = this.#migration?.isFollowed ? this.#taken(bytes, ended) : bytes;
    const isKept = taken !== undefined && this.#relay.write(taken, ended) && taken === bytes;
    this.#wentOn(ended);
    return isKept;
  }

  holds(attempt: ProxyAttempt, head: ResponseHead): void {
    const { keepAlive } = this.#context;
    if (keepAlive === undefined || this.exchange.begun || attempt !== this.#attempt) return;
    if (!takesComments(head) || this.exchange.head.minorVersion !== 1) return;
    this.#heldHead = head;
    keepAlive.add(this);
  }

  /** The engine is silent for long: from now on the status is 200, also if another engine responds. */
  onSilence(): void {
    if (this.#isOnlyOpen) {
      if (!this.exchange.congested) this.exchange.write(keepAliveChunk);
      return;
    }
    const head = this.#heldHead;
    if (head === undefined || this.exchange.begun) return;
    const { pick, target } = this.#attempt as ProxyAttempt;
    this.#isOnlyOpen = true;
    this.#relay.begin(head, keepAliveChunk, false, { pick, headerLines: target.headerLines });
  }

  failed(attempt: ProxyAttempt, failure: UpstreamFailure): void {
    const { kind } = failure;
    if (attempt === this.#attempt) {
      this.#heldHead = undefined;
      this.#failure = failure;
    }
    // The pool's own timeouts are off, except for connecting, which is reported as such.
    this.#machine.attemptFailed(kind === 'timeout' ? 'reset' : kind, attempt);
  }

  begin(head: ResponseHead, bytes: Buffer, ended: boolean, chunks: number): boolean {
    const { pick, target } = this.#attempt as ProxyAttempt;
    const { headerLines } = target;
    this.#timing.begun(chunks);
    this.#migration?.begin(head, this.exchange.head.minorVersion);
    const isFollowed = this.#migration?.isFollowed ?? false;
    const isFirst = !this.exchange.begun;
    this.#context.keepAlive?.remove(this);
    const wasOnlyOpen = this.#isOnlyOpen;
    this.#isOnlyOpen = false;
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
    return this.#migration?.take(bytes, this.#attempt?.betweenChunks ?? ended, ended);
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
    if (kind !== 'event' || migration.leave(this.#body, kind) !== 'impossible') {
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
      const ticket = core.route(this.#request, tried);
      if (tried === undefined) metrics.routed(this.#request.model);
      return new ProxyAttempt(this.#context, this, ticket);
    } catch (error) {
      this.#pickError = error;
      return undefined;
    }
  }

  pickHedge(tried: ReadonlySet<string>): EngineAttempt | undefined {
    const ticket = this.#context.hedging?.pick(this.#request, this.#body, tried);
    this.#hedge = ticket && new ProxyAttempt(this.#context, this, ticket);
    return this.#hedge;
  }

  hedgeEnded(outcome: HedgeOutcome): void {
    const { url } = this.#attempt as ProxyAttempt;
    this.#context.hedging?.ended(url, outcome);
    this.#context.log.info(
      `request ${this.#request.id}: ${url} was late, its hedge at ${this.#hedge?.url} ${outcome}`,
    );
    if (outcome === 'won') {
      this.#attempt = this.#hedge;
      this.#heldHead = undefined;
    }
    this.#hedge = undefined;
  }

  expired(deadline: AttemptDeadline, seconds: number): void {
    const { metrics } = this.#context;
    metrics.deadlines.with({ server: this.#attempt?.url ?? '', deadline }).inc();
    if (deadline !== 'total') this.#attempt?.countError('timeout');
    const message = {
      firstByte: `no response within ${seconds.toFixed(2)} s`,
      streamIdle: `no data for ${seconds.toFixed(2)} s`,
      engineStall: `no data on any stream of the engine for ${seconds.toFixed(2)} s`,
      total: 'the time for the request is over',
    }[deadline];
    const betweenChunks = this.#attempt?.betweenChunks ?? false;
    this.#failure = { kind: 'timeout', message, answered: false, betweenChunks };
  }

  hasFirstByte({ target: { metrics } }: ProxyAttempt, nowMs: number): void {
    if (!this.#generates || !this.#relay.isEventStream) return;
    this.#timing.firstByte(metrics.stream(this.#request.model), nowMs);
  }

  outcomeOf(status: AttemptOutcome): Outcome {
    const usage = this.#isWhole ? this.#relay.usage : undefined;
    this.#outcome = {
      status,
      promptTokens: usage?.promptTokens,
      outputTokens: usage?.outputTokens,
      cachedTokens: usage?.cachedTokens,
    };
    return this.#outcome;
  }

  continuation(): Continuation {
    const cause = this.#failure?.kind ?? 'reset';
    const continuation = this.#migration?.leave(this.#body, cause) ?? 'impossible';
    if (continuation === 'possible') this.#request = this.#restOf(this.#first);
    return continuation;
  }

  /** The rest of the request as the policy sees it. */
  #restOf(request: RoutingRequest): RoutingRequest {
    const { promptTokens, outputTokensMax } = request;
    const sentTokens = this.#migration?.sentTokens ?? 0;
    return {
      ...request,
      promptTokens: promptTokens + sentTokens,
      outputTokensMax: outputTokensMax === undefined ? undefined : outputTokensMax - sentTokens,
    };
  }

  notContinued(why: ContinuationLoss): void {
    this.#migration?.lost(why);
  }

  rerouted(to: EngineAttempt): void {
    const { label, metrics } = (this.#attempt as ProxyAttempt).target;
    // A response that had begun counts among the migrations.
    if (!this.exchange.begun || this.#isOnlyOpen) metrics.reroutes.inc();
    const next = this.#context.target(to.url).label;
    this.#context.log.warning(`request ${this.#request.id}: ${label} failed, trying ${next}`);
  }

  refuse(cause: RefusalCause): void {
    if (cause === 'noEngine') this.#refuseWithoutEngine(this.#pickError);
    else if (cause === 'stopping') this.#answer(stopping);
    else if (cause === 'rejected') this.#refuseOverloaded(this.#rejection as Rejection);
    else {
      const message = this.#logFailure();
      this.#answer({ status: cause, message });
    }
  }

  /** @param headerLines Without CR LF. */
  #answer(error: OpenAiError, headerLines?: readonly string[]): void {
    if (this.#isOnlyOpen) this.#relay.breakOff(true, error);
    else answerError(this.exchange, error, this.#request.id, headerLines);
  }

  breakOff(): void {
    // What a stream that can move has relayed ends with an event.
    const isFollowed = this.#migration?.isFollowed ?? false;
    const betweenChunks = isFollowed || (this.#failure?.betweenChunks ?? false);
    if (this.#isStopped) this.#relay.breakOff(betweenChunks, stopping);
    else this.#relay.breakOff(betweenChunks, { status: 502, message: this.#logFailure() });
  }

  complete(outcome: AttemptOutcome): void {
    if (outcome === 'failed') this.#attempt?.countError('answer');
    const closing = this.#migration?.closing;
    if (closing !== undefined) this.#relay.write(closing, true);
    this.exchange.end();
  }

  requestEnded(outcome: AttemptOutcome, status: number | undefined): void {
    const tokens = this.#migration?.tokens;
    if (tokens !== undefined) this.#outcome = { ...this.#outcome, outputTokens: tokens };
    this.#migration?.close();
    this.#context.keepAlive?.remove(this);
    if (this.#place !== undefined) this.#context.admission?.leave(this.#place);
    if (status === undefined) return;
    const nowMs = performance.now();
    this.#attempt?.target.metrics.finished({
      model: this.#request.model,
      status,
      outcome: this.#outcome,
      seconds: this.#timing.seconds(nowMs),
      generates: this.#generates,
      tokenSeconds: this.#timing.tokenSeconds(this.#outcome.outputTokens, nowMs),
      nowSeconds: nowMs / 1000,
    });
    this.#keep(outcome, status, nowMs);
  }

  /** Keeps the request for /debug/requests. */
  #keep(outcome: AttemptOutcome, status: number, nowMs: number): void {
    const { id, model = null } = this.#request;
    this.#context.metrics.recent.add({
      atSeconds: nowMs / 1000,
      requestId: id,
      model,
      url: this.#attempt?.url ?? null,
      outcome,
      status,
      ttftSeconds: this.#timing.ttftSeconds ?? null,
      seconds: this.#timing.seconds(nowMs),
      outputTokens: this.#outcome.outputTokens ?? null,
    });
  }

  /** The response is complete. */
  #end(): void {
    this.#isWhole = true;
    this.#machine.responseEnd(this.#relay.hasErrorEvent);
  }

  #pause(): void {
    this.#paused = true;
    this.#machine.clientSlow(true);
    this.#attempt?.pause();
  }

  /** Writes the log line that upstream's end-to-end tests read. */
  #logPick(url: string): void {
    const { id, session } = this.#request;
    const nowMs = performance.now();
    const at = (performance.timeOrigin + nowMs) / 1000;
    const took = this.#timing.seconds(nowMs);
    this.#context.log.info(
      `Routing request ${id} with session id ${session ?? 'None'} to ${url} at ${at}, ` +
        `process time = ${took.toFixed(4)}`,
    );
  }

  /** @returns The message for the client. */
  #logFailure(): string {
    const label = this.#attempt?.target.label;
    const why = this.#failure?.message;
    if (label === undefined) return `The router: ${why}.`;
    this.#context.log.warning(`request ${this.#request.id} failed at ${label}: ${why}`);
    return `Engine ${label}: ${why}.`;
  }

  #refuseOverloaded(rejection: Rejection): void {
    const { model } = this.#request;
    this.#context.metrics.refused(model, rejection.status);
    const retryAfter = `Retry-After: ${rejection.retryAfterSeconds}`;
    this.#answer(rejectionError(rejection), [retryAfter]);
  }

  #refuseWithoutEngine(error: unknown): void {
    const { model, id } = this.#request;
    const isExpected = error instanceof UnknownModelError || error instanceof NoEndpointError;
    const status = isExpected ? error.httpStatus : 500;
    this.#context.metrics.refused(error instanceof UnknownModelError ? undefined : model, status);
    this.#keep('failed', status, performance.now());
    if (isExpected) {
      const param = error instanceof UnknownModelError ? 'model' : undefined;
      const { message } = error;
      this.#answer({ status, message, param });
      return;
    }
    this.#context.log.error(`request ${id}: ${error instanceof Error ? error.stack : error}`);
    this.#answer({ status: 500, message: 'The router failed; see its log.' });
  }
}
