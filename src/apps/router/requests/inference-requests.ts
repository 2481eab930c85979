// Prepares a client's request for routing: reads its fields, resolves its model, and tokenizes its prompt
// if the policy needs tokens.
import type { StreamKind } from '../../../core/migration/index.ts';
import type { PromptKind, TokenizedPrompt } from '../../../core/prompts/index.ts';
import {
  JsonSyntaxError,
  type RequestFields,
  RequestFieldsReader,
} from '../../../core/protocol/index.ts';
import { isDisaggregated, type RoutingRequest } from '../../../core/routing/index.ts';
import { formField, replaceFormField } from '../../../io/forms/index.ts';
import {
  acceptedCodings,
  BodyDecoder,
  bytesAtOnceMax,
  HttpSyntaxError,
  type ServerExchange,
} from '../../../io/http/index.ts';
import { SkimThread } from '../../../io/json-skim/index.ts';
import type { Engine } from '../fleet/engine.ts';
import { CreatedResponse } from '../responses/created-response.ts';
import type { ResponseEngines } from '../responses/response-engines.ts';
import { StoredRequests } from '../responses/stored-requests.ts';
import { type StoredReference, StoredResponses } from '../responses/stored-responses.ts';
import type { PromptTokens } from '../tokens/prompt-tokens.ts';
import { type Arrival, Arrivals, type RefusedArrival, requestWithoutPrompt } from './arrival.ts';
import { type CacheSaltSource, CacheSalts } from './cache-salt.ts';
import { isSplittable, type SplitKind } from './handoff-bodies.ts';
import { ProxiedRequest, type ProxiedRequestOptions } from './proxied-request.ts';
import type { ProxyContext } from './proxy-context.ts';
import type { BodyKind } from './request-routes.ts';
import { migrationPlan, namedKindOf } from './stream-migration.ts';

/** Properties of a request that follow from its path. */
export interface ForwardedRoute {
  readonly kind: BodyKind;
  /** Whether the response is generated text. */
  readonly generates: boolean;
  /** Undefined if its prompt has no place in the KV cache that KV events tell of. */
  readonly promptKind: PromptKind | undefined;
  /** Whether its requests may be sent to two engines at once. */
  readonly isHedged: boolean;
  /** Whether engines know the field `cache_salt` in its bodies. */
  readonly isSalted: boolean;
  /** What its streams are, if another engine can continue them. */
  readonly movingStream: StreamKind | undefined;
}

/**
 * Bytes of prompt per token, for prompts that are not tokenized: the rule of thumb for English that
 * OpenAI gives (help.openai.com, "What are tokens") and that llm-d's prefix index uses.
 */
const promptBytesPerToken = 4;

export class InferenceRequests {
  /** Those for stored responses, which have no body for an engine. */
  readonly stored: StoredRequests;
  readonly #context: ProxyContext;
  readonly #arrivals: Arrivals;
  readonly #tokens: PromptTokens;
  readonly #skimThread = new SkimThread();
  readonly #decoder = new BodyDecoder();
  readonly #responseEngines: ResponseEngines;
  readonly #salts: CacheSalts | undefined;
  #fieldsReader: RequestFieldsReader;
  /** For requests that create a response. */
  #responsesReader: RequestFieldsReader;
  #sessionHeader: string | undefined;

  /** @param sessionKey Header, or else top-level body key, that holds a request's session id. */
  constructor(
    context: ProxyContext,
    options: {
      readonly engines: ReadonlyMap<string, Engine>;
      readonly tokens: PromptTokens;
      readonly sessionKey: string | undefined;
      readonly responseEngines: ResponseEngines;
      /** What tells tenants apart whose caches are to be apart. @default nothing */
      readonly cacheSaltFrom?: CacheSaltSource | undefined;
    },
  ) {
    this.#context = context;
    this.#tokens = options.tokens;
    this.#arrivals = new Arrivals(context, options.engines);
    this.#responseEngines = options.responseEngines;
    this.#salts = options.cacheSaltFrom && new CacheSalts(options.cacheSaltFrom);
    const places = new StoredResponses(context, options.engines, options.responseEngines);
    this.stored = new StoredRequests(context, this.#arrivals, places);
    this.#fieldsReader = new RequestFieldsReader({ sessionKey: options.sessionKey });
    this.#responsesReader = responsesReader(options.sessionKey);
    this.#sessionHeader = options.sessionKey?.toLowerCase();
  }

  /** Applies to requests that arrive from now on. */
  setSessionKey(sessionKey: string | undefined): void {
    this.#fieldsReader = new RequestFieldsReader({ sessionKey });
    this.#responsesReader = responsesReader(sessionKey);
    this.#sessionHeader = sessionKey?.toLowerCase();
  }

  /** Ends the thread that reads large bodies. */
  close(): void {
    this.#skimThread.close();
  }

  /** Routes one request, or refuses it. */
  take(exchange: ServerExchange, route: ForwardedRoute, arrivedAtMs: number): void {
    const header = this.#sessionHeader;
    const session = (header && exchange.head.headers.get(header)) || undefined;
    const arrival = this.#arrivals.arrived(exchange, session, arrivedAtMs);
    if (arrival === undefined) return;
    const { contentEncoding } = exchange.head;
    if (contentEncoding === undefined) this.#takeBody(arrival, route);
    else void this.#takeEncoded(arrival, route, contentEncoding);
  }

  async #takeEncoded(arrival: Arrival, route: ForwardedRoute, contentEncoding: string) {
    const { exchange } = arrival;
    const error = await this.#decoder
      .decode(exchange, contentEncoding)
      .catch((thrown: unknown) => thrown);
    if (exchange.over) return;
    if (error === undefined) this.#takeBody(arrival, route);
    else if (error instanceof HttpSyntaxError) {
      const { status, message } = error;
      const lines = status === 415 ? [`Accept-Encoding: ${acceptedCodings}`] : [];
      this.#arrivals.refuse(arrival, { status, message }, lines);
    } else this.#arrivals.refuseBroken(arrival, error);
  }

  #takeBody(arrival: Arrival, route: ForwardedRoute): void {
    const { exchange } = arrival;
    if (route.kind === 'form') {
      void this.#takeForm(arrival);
      return;
    }
    if (exchange.body[0] === byteOrderMark[0]) exchange.body = withoutMark(exchange.body);
    if (exchange.body.length > bytesAtOnceMax) void this.#takeLarge(arrival, route);
    else this.#takeJson(arrival, route, this.#readerOf(route), undefined);
  }

  #readerOf({ promptKind }: ForwardedRoute): RequestFieldsReader {
    return promptKind === 'responses' ? this.#responsesReader : this.#fieldsReader;
  }

  /** A body that takes long to read is read in another thread. */
  async #takeLarge(arrival: Arrival, route: ForwardedRoute): Promise<void> {
    const { exchange } = arrival;
    const reader = this.#readerOf(route);
    const read = await this.#skimThread
      .skim(exchange.body, reader.keys, () => !exchange.over)
      .catch((error: Error) => error);
    if (exchange.over) return;
    const isError = read instanceof Error;
    exchange.body = isError ? Buffer.alloc(0) : read.bytes;
    this.#takeJson(arrival, route, reader, isError ? read : read.spans);
  }

  /** @param spans The result of reading the body's keys in another thread; undefined to read them here. */
  #takeJson(
    arrival: Arrival,
    route: ForwardedRoute,
    reader: RequestFieldsReader,
    spans: Int32Array | Error | undefined,
  ): void {
    const { kind } = route;
    const read = this.#read(arrival, reader, spans);
    if (read === undefined) return;
    const { model } = read;
    if (model === undefined && kind === 'json') {
      this.#refuseMissingModel(arrival);
      return;
    }
    const fields =
      route.isSalted && model !== undefined ? this.#salted(arrival, reader, read) : read;
    const { previousResponseId } = fields;
    if (previousResponseId === undefined || arrival.pinnedUrl !== undefined) {
      this.#route(arrival, route, fields);
      return;
    }
    const reference: StoredReference = {
      id: previousResponseId,
      model: this.#context.core.resolveModel(model),
      param: 'previous_response_id',
      head: arrival.exchange.head,
    };
    this.stored.place(arrival, reference, (pinnedUrl) =>
      this.#route({ ...arrival, pinnedUrl }, route, fields, pinnedUrl !== undefined),
    );
  }

  /** Writes the tenant's salt into the body. @returns The fields with it. */
  #salted(
    { exchange }: Arrival,
    reader: RequestFieldsReader,
    fields: RequestFields,
  ): RequestFields {
    if (this.#salts === undefined) return fields;
    const { body, salt, isAppended } = this.#salts.salted(exchange.head, exchange.body, fields);
    exchange.body = body;
    if (!isAppended) return reader.read(body);
    const promptBytes = fields.promptBytes + salt.length;
    return { ...fields, prompt: [salt, ...fields.prompt], promptBytes };
  }

  /** @param isKept Whether only the engine of `pinnedUrl` has what the request refers to. */
  #route(arrival: Arrival, route: ForwardedRoute, fields: RequestFields, isKept = false): void {
    const { exchange, id, session, pinnedUrl, arrivedAtMs } = arrival;
    const { generates, promptKind, isHedged } = route;
    const { core } = this.#context;
    const { model } = fields;
    const isSplit = isDisaggregated(core.policy.name);
    const request: RoutingRequest = {
      id,
      model,
      pinnedUrl,
      isKept,
      leg: isSplit && generates && pinnedUrl === undefined ? 'decode' : undefined,
      session: session ?? fields.session,
      prompt: fields.prompt,
      promptTokens: Math.ceil(fields.promptBytes / promptBytesPerToken),
      tokens: undefined,
      outputTokensMax: fields.outputTokensMax,
      stream: fields.stream,
    };
    const resolved = core.resolveModel(model);
    const body =
      resolved === model || resolved === undefined
        ? exchange.body
        : withModel(exchange.body, fields.modelStart, fields.modelEnd, resolved);
    const expectsUsage = fields.stream && fields.hasStreamOptions;
    const { priority } = fields;
    const migration =
      generates && fields.stream
        ? migrationPlan(this.#context.migration, route.movingStream, fields, body.length)
        : undefined;
    if (typeof migration === 'object' && namedKindOf(migration.kind) !== undefined)
      this.#tokens.want();
    const proxied: ProxiedRequestOptions = {
      exchange,
      request,
      body,
      expectsUsage,
      generates,
      priority,
      arrivedAtMs,
      migration,
      handoff: request.leg && splitKind(promptKind, body),
      isHedged,
      isRepeatable: !(promptKind === 'responses' && fields.background),
    };
    const isStored = promptKind === 'responses' && !fields.isUnstored;
    const isTokenized =
      promptKind !== undefined &&
      resolved !== undefined &&
      core.policy.needsTokens &&
      // With one engine there is nothing to choose.
      core.candidateCount(resolved) > 1;
    if (!isTokenized) {
      this.#start(proxied, isStored);
      return;
    }
    const tokens = this.#tokens.of(resolved, promptKind, exchange.body);
    if (tokens instanceof Promise) void this.#startLater(proxied, tokens, isStored);
    else this.#start(withTokens(proxied, tokens), isStored);
  }

  async #takeForm({ exchange, arrivedAtMs, ...arrival }: Arrival): Promise<void> {
    const { head } = exchange;
    const contentType = head.headers.get('content-type');
    const field = await formField(exchange.body, contentType, 'model');
    if (exchange.over) return;
    const model = field?.trim();
    if (!model) {
      this.#refuseMissingModel({ exchange, arrivedAtMs, id: arrival.id });
      return;
    }
    const request = requestWithoutPrompt({ ...arrival, model });
    const to = this.#context.core.resolveModel(model) ?? model;
    const other =
      to === model
        ? undefined
        : replaceFormField(exchange.body, contentType, { name: 'model', from: model, to });
    const body = other ?? exchange.body;
    this.#start(
      {
        ...{ exchange, request, body, expectsUsage: false, generates: false, arrivedAtMs },
        ...{ migration: undefined, isHedged: false },
      },
      false,
    );
  }

  /** The fields of a JSON body; undefined if it was refused. */
  #read(
    arrival: Arrival,
    reader: RequestFieldsReader,
    spans: Int32Array | Error | undefined,
  ): RequestFields | undefined {
    const { exchange } = arrival;
    try {
      if (spans instanceof Error) throw spans;
      if (spans === undefined) return reader.read(exchange.body);
      return reader.fieldsAt(exchange.body, spans);
    } catch (error) {
      if (error instanceof JsonSyntaxError) {
        this.#arrivals.refuse(arrival, { status: 400, message: error.message });
      } else this.#arrivals.refuseBroken(arrival, error);
      return undefined;
    }
  }

  /** @param isStored Whether the engine stores the response, so that a later request may refer to it. */
  #start(options: ProxiedRequestOptions, isStored: boolean): void {
    const request = isStored
      ? new CreatedResponse(this.#context, options, this.#responseEngines)
      : new ProxiedRequest(this.#context, options);
    request.start();
  }

  async #startLater(
    options: ProxiedRequestOptions,
    tokens: Promise<TokenizedPrompt | undefined>,
    isStored: boolean,
  ): Promise<void> {
    const known = await tokens;
    if (!options.exchange.over) this.#start(withTokens(options, known), isStored);
  }

  #refuseMissingModel(arrival: RefusedArrival): void {
    const message = 'The request names no model: "model" must be a string.';
    this.#arrivals.refuse(arrival, { status: 400, message, param: 'model' });
  }
}

function responsesReader(sessionKey: string | undefined): RequestFieldsReader {
  return new RequestFieldsReader({ sessionKey, createsResponses: true });
}

/** UTF-8's, with which programs of Windows begin texts. Python's json reads on behind it, and so does vLLM; others do not. */
const byteOrderMark = Buffer.from('\ufeff');

function withoutMark(body: Buffer): Buffer {
  const hasMark = body.subarray(0, byteOrderMark.length).equals(byteOrderMark);
  return hasMark ? body.subarray(byteOrderMark.length) : body;
}

/** How a request is split; `whole` if the engine that responds has to compute its prompt. */
function splitKind(kind: PromptKind | undefined, body: Buffer): SplitKind | 'whole' {
  const isKnown = kind === 'chat' || kind === 'completions';
  return isKnown && isSplittable(body) ? kind : 'whole';
}

function withTokens(
  options: ProxiedRequestOptions,
  known: TokenizedPrompt | undefined,
): ProxiedRequestOptions {
  if (known === undefined) return options;
  const { tokens, cacheSalt } = known;
  return {
    ...options,
    request: { ...options.request, tokens, cacheSalt, promptTokens: tokens.length },
  };
}

/** The body with another model name; all other bytes are unchanged. */
function withModel(body: Buffer, start: number, end: number, model: string): Buffer {
  const name = Buffer.from(JSON.stringify(model));
  return Buffer.concat([body.subarray(0, start), name, body.subarray(end)]);
}
