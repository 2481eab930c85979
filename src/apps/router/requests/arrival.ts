// A request that has arrived and is not routed yet: its id, the engine that its query names, and its refusal.
import type { RoutingRequest } from '../../../core/routing/index.ts';
import type { ServerExchange } from '../../../io/http/index.ts';
import type { Engine } from '../fleet/engine.ts';
import { answerError } from './answer.ts';
import { requestIdOf } from './attempt-ids.ts';
import type { OpenAiError } from './openai-error.ts';
import type { ProxyContext } from './proxy-context.ts';
import { RequestTrace } from './request-trace.ts';

export interface Arrival extends Pick<RoutingRequest, 'id' | 'session' | 'pinnedUrl'> {
  readonly exchange: ServerExchange;
  readonly arrivedAtMs: number;
}

export type RefusedArrival = Pick<Arrival, 'exchange' | 'id' | 'arrivedAtMs'>;

const noSuchEngine = 'No engine has the id in the query of this request; /engines lists them.';

export class Arrivals {
  readonly #context: ProxyContext;
  readonly #engines: ReadonlyMap<string, Engine>;

  constructor(context: ProxyContext, engines: ReadonlyMap<string, Engine>) {
    this.#context = context;
    this.#engines = engines;
  }

  /** Counts a request. @returns Undefined if it was refused, because no engine has the id in its query. */
  arrived(
    exchange: ServerExchange,
    session: string | undefined,
    arrivedAtMs: number,
  ): Arrival | undefined {
    const { metrics } = this.#context;
    metrics.arrived++;
    metrics.rate.count(arrivedAtMs / 1000);
    const id = requestIdOf(exchange.head.headers.get('x-request-id'));
    const pinned = this.#pinnedEngine(exchange);
    if (pinned !== null) return { exchange, id, session, pinnedUrl: pinned?.url, arrivedAtMs };
    const error = { status: 404, message: noSuchEngine, param: 'id' };
    this.refuse({ exchange, id, arrivedAtMs }, error);
    return undefined;
  }

  /** Answers a request that is not routed. @param headerLines Without CR LF. */
  refuse(
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

  /** @param error Of the router's own. */
  refuseBroken(arrival: RefusedArrival, error: unknown): void {
    this.#context.log.error(`request ${arrival.id}: ${error}`);
    this.refuse(arrival, { status: 500, message: 'The router failed; see its log.' });
  }

  /**
   * Finds the engine that the query names with `?id=`, by what /engines shows of it, and removes the id from the query.
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
    const { sight } = this.#context;
    for (const engine of this.#engines.values()) {
      // A client that may not know an address cannot find out by guessing it.
      const open = sight.isOpen ? [engine.name, engine.url] : [];
      if ([engine.shown.name, ...open].includes(wanted)) return engine;
    }
    return null;
  }
}

/** A request without a prompt that the router could read. */
export function requestWithoutPrompt(
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
