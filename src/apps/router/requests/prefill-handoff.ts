// Disaggregated prefill of one request: its first leg computes the prompt on one engine, and another engine, which gets
// the KV cache of the prompt, responds.
import type { AttemptOutcome, HeadVerdict } from '../../../core/attempts/index.ts';
import {
  type EngineRole,
  NoEndpointError,
  type Outcome,
  type RoutingRequest,
  type Ticket,
} from '../../../core/routing/index.ts';
import type { ResponseHead, ServerExchange, UpstreamFailure } from '../../../io/http/index.ts';
import { CollectedBody } from './collected-body.ts';
import { handoffParams, type SplitKind, withHandoff, withoutOutput } from './handoff-bodies.ts';
import type { HandoffContext } from './handoff-context.ts';
import type { AttemptOwner, ProxyAttempt } from './proxy-attempt.ts';
import type { RequestTrace } from './request-trace.ts';
import type { SentBody } from './sent-body.ts';
import { type Usage, usageNear } from './usage.ts';

/** The request that is handed over. */
export interface HandoffRequest extends AttemptOwner {
  /** The first leg is being sent. @returns The client's body. */
  prefilling(attempt: ProxyAttempt): Buffer;
  /** The first leg is done: another engine is to be picked. */
  prefilled(): void;
  /** The response of the first leg cannot be used. @param why In plain words. */
  prefillFailed(why: string): void;
}

/** Owns the attempts of the first leg: the client sees nothing of them, unless an engine refuses the request itself. */
export class PrefillHandoff implements AttemptOwner {
  readonly #context: HandoffContext;
  readonly #request: HandoffRequest;
  readonly #kind: SplitKind | 'whole';
  #leg: EngineRole;
  #response: CollectedBody | undefined = undefined;
  #usage: Usage | undefined = undefined;
  /** For the next engine that is sent the request from its start; it reads the KV once. */
  #params: string | undefined = undefined;
  /** The attempt that they were for: an engine that refuses the request has not read the KV. */
  #reader: { readonly attempt: ProxyAttempt; readonly params: string } | undefined = undefined;
  /** Of the engine that prefills. */
  #host = '';

  /** @param kind `whole` for a request that cannot be split: it has a second leg only. */
  constructor(context: HandoffContext, request: HandoffRequest, kind: SplitKind | 'whole') {
    this.#context = context;
    this.#request = request;
    this.#kind = kind;
    this.#leg = kind === 'whole' ? 'decode' : 'prefill';
  }

  get exchange(): ServerExchange {
    return this.#request.exchange;
  }

  get trace(): RequestTrace | undefined {
    return this.#request.trace;
  }

  get isRepeatable(): boolean {
    return this.#request.isRepeatable;
  }

  /** Whether the next attempt is one of the first leg. */
  get isPrefilling(): boolean {
    return this.#leg === 'prefill';
  }

  /**
   * Picks an engine for the leg that is next. Where none has its role, others do the whole of the request.
   *
   * @throws {UnknownModelError | NoEndpointError} As `RoutingCore.route`.
   */
  route(request: RoutingRequest, tried: ReadonlySet<string> | undefined): Ticket {
    const first = this.isPrefilling ? this.#routePrefill(request, tried) : undefined;
    return (
      first ??
      this.#routeDecode(request, tried) ??
      this.#context.core.route(anyRole(request), tried)
    );
  }

  /** The body of the second leg. @param body What an engine would get that does the whole of the request. */
  bodyOf(body: SentBody, attempt: ProxyAttempt): SentBody {
    if (this.#params !== undefined) this.#reader = { attempt, params: this.#params };
    this.#params = undefined;
    return this.#reader?.attempt === attempt ? withHandoff(body, this.#reader.params) : body;
  }

  // The attempts of the first leg.

  sending(attempt: ProxyAttempt): SentBody {
    this.#response = undefined;
    this.#host = new URL(attempt.url).hostname;
    const body = this.#request.prefilling(attempt);
    return {
      start: '',
      rest: withoutOutput(body, this.#kind as SplitKind, this.#context.asksForParams),
    };
  }

  headOf(attempt: ProxyAttempt, status: number, hasBody: boolean): HeadVerdict {
    return status === 200 ? 'pass' : this.#request.headOf(attempt, status, hasBody);
  }

  /** Only streams begin with errors. */
  beginsWithError(): void {}

  /** The client hears nothing yet. */
  holds(): void {}

  begin(head: ResponseHead, bytes: Buffer, ended: boolean, chunks: number): boolean {
    if (head.status !== 200) return this.#request.begin(head, bytes, ended, chunks);
    if (head.contentEncoding !== undefined) {
      this.#request.prefillFailed(`its response is compressed (${head.contentEncoding})`);
      return false;
    }
    this.#response = new CollectedBody(head);
    return this.#collect(this.#response, bytes, ended);
  }

  relay(bytes: Buffer, ended: boolean, chunks: number): boolean {
    if (this.#response === undefined) return this.#request.relay(bytes, ended, chunks);
    return this.#collect(this.#response, bytes, ended);
  }

  failed(attempt: ProxyAttempt, failure: UpstreamFailure): void {
    this.#request.failed(attempt, failure);
  }

  /** The client's first byte is that of the second leg. */
  hasFirstByte(): void {}

  outcomeOf(status: AttemptOutcome): Outcome {
    return { ...this.#request.outcomeOf(status), ...this.#usage };
  }

  #collect(response: CollectedBody, bytes: Buffer, ended: boolean): false {
    if (!response.add(bytes)) this.#request.prefillFailed('its response is too long');
    else if (ended) this.#ended(response.whole());
    return false;
  }

  #ended(response: Buffer): void {
    const { asksForParams } = this.#context;
    this.#usage = usageNear(response);
    this.#params = asksForParams ? handoffParams(response, this.#host) : undefined;
    if (!asksForParams) this.#context.count('stored');
    else this.#context.count(this.#params === undefined ? 'lost' : 'transferred');
    this.#leg = 'decode';
    this.#request.prefilled();
  }

  #routePrefill(
    request: RoutingRequest,
    tried: ReadonlySet<string> | undefined,
  ): Ticket | undefined {
    const { core, count, remotePrefillTokensMin } = this.#context;
    if (remotePrefillTokensMin > 0) {
      const decode = this.#routeDecode(request, tried);
      const missing = request.promptTokens - (decode?.pick.cachedTokens ?? 0);
      if (decode !== undefined && missing < remotePrefillTokensMin) {
        count('short');
        this.#leg = 'decode';
        return decode;
      }
      decode?.finish({ status: 'cancelled' });
    }
    // Its only token comes when the prompt is computed, as the first one of a stream does.
    const prefill = { ...request, leg: 'prefill', stream: true, outputTokensMax: 1 } as const;
    const ticket = orNone(() => core.route(prefill, tried));
    if (ticket === undefined) {
      count('unavailable');
      this.#leg = 'decode';
    }
    return ticket;
  }

  #routeDecode(
    request: RoutingRequest,
    tried: ReadonlySet<string> | undefined,
  ): Ticket | undefined {
    return orNone(() => this.#context.core.route({ ...request, leg: 'decode' }, tried));
  }
}

function anyRole(request: RoutingRequest): RoutingRequest {
  return { ...request, leg: undefined };
}

function orNone(route: () => Ticket): Ticket | undefined {
  try {
    return route();
  } catch (error) {
    if (error instanceof NoEndpointError) return undefined;
    throw error;
  }
}
