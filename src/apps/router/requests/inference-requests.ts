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
  HttpSyntaxError,
  type ServerExchange,
  unsharedBytesMax,
} from '../../../io/http/index.ts';
import { SkimThread } from '../../../io/json-skim/index.ts';
import type { Engine } from '../fleet/engine.ts';
import { CreatedResponse } from '../responses/created-response.ts';
import type { ResponseEngines } from '../responses/response-engines.ts';
import {
  type Place,
  type StoredReference,
  StoredResponses,
  storedResponsesPath,
} from '../responses/stored-responses.ts';
import type { PromptTokens } from '../tokens/prompt-tokens.ts';
import { answerError } from './answer.ts';
import { requestIdOf } from './attempt-ids.ts';
import { isSplittable, type SplitKind } from './handoff-bodies.ts';
import type { OpenAiError } from './openai-error.ts';
import { ProxiedRequest, type ProxiedRequestOptions } from './proxied-request.ts';
import type { ProxyContext } from './proxy-context.ts';
import type { BodyKind } from './request-routes.ts';
import { RequestTrace } from './request-trace.ts';
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
  /** What its streams are, if another engine can continue them. */
  readonly movingStream: StreamKind | undefined;
}

/**
 * Bytes of prompt per token, for prompts that are not tokenized: the rule of thumb for English that
 * OpenAI gives (help.openai.com, "What are tokens") and that llm-d's prefix index uses.
 */
const promptBytesPerToken = 4;

/** A request whose body has not been read yet. */
interface Arrival extends Pick<RoutingRequest, 'id' | 'session' | 'pinnedUrl'> {
  readonly exchange: ServerExchange;
  readonly arrivedAtMs: number;
}

type RefusedArrival = Pick<Arrival, 'exchange' | 'id' | 'arrivedAtMs'>;

export class InferenceRequests {
  readonly #context: ProxyContext;
  readonly #engines: ReadonlyMap<string, Engine>;
  readonly #tokens: PromptTokens;
  readonly #skimThread = new SkimThread();
  readonly #decoder = new BodyDecoder();
  readonly #responseEngines: ResponseEngines;
  readonly #stored: StoredResponses;
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
    },
  ) {
    this.#context = context;
    this.#tokens = options.tokens;
    this.#engines = options.engines;
    this.#responseEngines = options.responseEngines;
    this.#stored = new StoredResponses(context, options.engines, options.responseEngines);
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
    const { metrics } = this.#context;
    metrics.arrived++;
    metrics.rate.count(arrivedAtMs / 1000);
    const { headers } = exchange.head;
    const id = requestIdOf(headers.get('x-request-id'));
    const header = this.#sessionHeader;
    const session = (header && headers.get(header)) || undefined;
    const pinned = this.#pinnedEngine(exchange);
    if (pinned === null) {
      this.#refuse(
        { exchange, id, arrivedAtMs },
        { status: 404, message: noSuchEngine, param: 'id' },
      );
      return;
    }
    const arrival: Arrival = { exchange, id, session, pinnedUrl: pinned?.url, arrivedAtMs };
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
      this.#refuse(arrival, { status, message }, lines);
    } else this.#refuseBroken(arrival, error);
  }

  #takeBody(arrival: Arrival, route: ForwardedRoute): void {
    const { exchange } = arrival;
    if (route.kind === 'form') {
      void this.#takeForm(arrival);
      return;
    }
    if (exchange.body[0] === byteOrderMark[0]) exchange.body = withoutMark(exchange.body);
    if (exchange.body.length > unsharedBytesMax) void this.#takeLarge(arrival, route);
    else this.#takeJson(arrival, route, this.#readerOf(route), undefined);
  }

  /** Routes a request for a stored response, which has no body for an engine: GET, DELETE, or POST to cancel it. */
  takeStored(exchange: ServerExchange, arrivedAtMs: number): void {
    const { metrics } = this.#context;
    metrics.arrived++;
    metrics.rate.count(arrivedAtMs / 1000);
    const { head, target } = exchange;
    const id = requestIdOf(head.headers.get('x-request-id'));
    const responseId = idInPath(target);
    const pinned = this.#pinnedEngine(exchange);
    if (pinned === null || responseId === undefined) {
      const message =
        pinned === null ? noSuchEngine : 'The id of the response is not valid percent-encoding.';
      const param = pinned === null ? 'id' : 'response_id';
      this.#refuse({ exchange, id, arrivedAtMs }, { status: 404, message, param });
      return;
    }
    const arrival: Arrival = {
      exchange,
      id,
      session: undefined,
      pinnedUrl: undefined,
      arrivedAtMs,
    };
    const send = (pinnedUrl: string | undefined) => {
      const request = {
        ...requestWithoutPrompt({ id, model: undefined, session: undefined, pinnedUrl }),
        isKept: pinnedUrl !== undefined,
      };
      this.#send({
        ...{ exchange, request, body: noBody, expectsUsage: false, generates: false, arrivedAtMs },
        ...{ migration: undefined, isHedged: false, isRepeatable: head.method === 'GET' },
      });
    };
    if (pinned !== undefined) send(pinned.url);
    else {
      const reference = { id: responseId, model: undefined, head, param: 'response_id' } as const;
      this.#whenPlaced(arrival, this.#stored.placeOf(reference), send);
    }
  }

  /** Goes on once it is known which engine has a stored response, or refuses the request. */
  #whenPlaced(
    arrival: Arrival,
    place: Place | Promise<Place>,
    send: (url: string | undefined) => void,
  ): void {
    if (place instanceof Promise) {
      void place.then((found) => {
        if (!arrival.exchange.over) this.#whenPlaced(arrival, found, send);
      });
    } else if ('error' in place) this.#refuse(arrival, place.error);
    else send(place.url);
  }

  #readerOf({ promptKind }: ForwardedRoute): RequestFieldsReader {
    return promptKind === 'responses' ? this.#responsesReader : this.#fieldsReader;
  }

  /** A body that takes long to read is read in another thread. */
  async #takeLarge(arrival: Arrival, route: ForwardedRoute): Promise<void> {
    const { body } = arrival.exchange;
    const reader = this.#readerOf(route);
    const spans = await this.#skimThread.skim(body, reader.keys).catch((error: Error) => error);
    if (arrival.exchange.over) return;
    this.#takeJson(arrival, route, reader, spans);
  }

  /** @param spans The result of reading the body's keys in another thread; undefined to read them here. */
  #takeJson(
    arrival: Arrival,
    route: ForwardedRoute,
    reader: RequestFieldsReader,
    spans: Int32Array | Error | undefined,
  ): void {
    const { kind } = route;
    const fields = this.#read(arrival, reader, spans);
    if (fields === undefined) return;
    const { model } = fields;
    if (model === undefined && kind === 'json') {
      this.#refuseMissingModel(arrival);
      return;
    }
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
    this.#whenPlaced(arrival, this.#stored.placeOf(reference), (pinnedUrl) =>
      this.#route({ ...arrival, pinnedUrl }, route, fields, pinnedUrl !== undefined),
    );
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
    const isTokenized = promptKind !== undefined && resolved !== undefined;
    // With one engine there is nothing to choose.
    if (promptKind === 'responses' && !fields.isUnstored) {
      this.#create(proxied, isTokenized ? resolved : undefined);
    } else if (isTokenized && core.policy.needsTokens && core.candidateCount(resolved) > 1) {
      const tokens = this.#tokens.of(resolved, promptKind, exchange.body);
      if (tokens instanceof Promise) void this.#sendLater(proxied, tokens);
      else this.#send(withTokens(proxied, tokens));
    } else this.#send(proxied);
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
    const migration = undefined;
    this.#send({
      ...{ exchange, request, body, expectsUsage: false, generates: false, arrivedAtMs, migration },
      isHedged: false,
    });
  }

  /**
   * Finds the engine that the query names with `?id=`, by its id, name or URL, and removes the id from the query.
   *
   * @returns Undefined without an id, null if no engine has it.
   */
  #pinnedEngine(exchange: ServerExchange): Engine | null | undefined {
    const { target } = exchange;
    const mark = target.indexOf('?');
    if (mark < 0) return undefined;
    const query = new URLSearchParams(target.slice(mark + 1));
    const wanted = query.get('id');
    if (wanted === null) return undefined;
    query.delete('id');
    exchange.target = query.size > 0 ? `${target.slice(0, mark)}?${query}` : target.slice(0, mark);
    for (const engine of this.#engines.values()) {
      if ([engine.id, engine.name, engine.url].includes(wanted)) return engine;
    }
    return null;
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
        this.#refuse(arrival, { status: 400, message: error.message });
      } else this.#refuseBroken(arrival, error);
      return undefined;
    }
  }

  /** @param error Of the router's own. */
  #refuseBroken(arrival: RefusedArrival, error: unknown): void {
    this.#context.log.error(`request ${arrival.id}: ${error}`);
    this.#refuse(arrival, { status: 500, message: 'The router failed; see its log.' });
  }

  /** A request whose response a later one may refer to. @param model Undefined if it needs no tokens. */
  #create(options: ProxiedRequestOptions, model: string | undefined): void {
    const { core } = this.#context;
    const send = (tokens: TokenizedPrompt | undefined) => {
      if (options.exchange.over) return;
      const known = withTokens(options, tokens);
      new CreatedResponse(this.#context, known, this.#responseEngines).start();
    };
    if (model === undefined || !core.policy.needsTokens || core.candidateCount(model) <= 1) {
      send(undefined);
      return;
    }
    const tokens = this.#tokens.of(model, 'responses', options.exchange.body);
    if (tokens instanceof Promise) void tokens.then(send);
    else send(tokens);
  }

  #send(options: ProxiedRequestOptions): void {
    new ProxiedRequest(this.#context, options).start();
  }

  async #sendLater(
    options: ProxiedRequestOptions,
    tokens: Promise<TokenizedPrompt | undefined>,
  ): Promise<void> {
    const known = await tokens;
    if (!options.exchange.over) this.#send(withTokens(options, known));
  }

  #refuseMissingModel(arrival: RefusedArrival): void {
    const message = 'The request names no model: "model" must be a string.';
    this.#refuse(arrival, { status: 400, message, param: 'model' });
  }

  /** Answers a request that is not routed. @param headerLines Without CR LF. */
  #refuse(
    { exchange, id, arrivedAtMs }: RefusedArrival,
    error: OpenAiError,
    headerLines: readonly string[] = [],
  ): void {
    const { metrics, tracing } = this.#context;
    const { status } = error;
    metrics.refused(undefined, status);
    if (tracing !== undefined) {
      const end = { outcome: 'failed', status, tokens: undefined, ttftSeconds: undefined } as const;
      new RequestTrace(tracing, exchange, arrivedAtMs).ended(undefined, end, performance.now());
    }
    answerError(exchange, error, id, headerLines);
  }
}

const noBody = Buffer.alloc(0);
const noSuchEngine = 'No engine has the id in the query of this request; /engines lists them.';

function responsesReader(sessionKey: string | undefined): RequestFieldsReader {
  return new RequestFieldsReader({ sessionKey, createsResponses: true });
}

/** The id in the path of a stored response; undefined if it cannot be decoded. */
function idInPath(target: string): string | undefined {
  const [path = ''] = target.split('?', 1);
  const [id = ''] = path.slice(storedResponsesPath.length).split('/', 1);
  try {
    return decodeURIComponent(id);
  } catch {
    return undefined;
  }
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

/** A request without a prompt that the router could read. */
function requestWithoutPrompt(
  parts: Pick<RoutingRequest, 'id' | 'model' | 'session' | 'pinnedUrl'>,
): RoutingRequest {
  return {
    ...parts,
    prompt: [],
    promptTokens: 0,
    tokens: undefined,
    outputTokensMax: undefined,
    stream: false,
  };
}

/** The body with another model name; all other bytes are unchanged. */
function withModel(body: Buffer, start: number, end: number, model: string): Buffer {
  const name = Buffer.from(JSON.stringify(model));
  return Buffer.concat([body.subarray(0, start), name, body.subarray(end)]);
}
