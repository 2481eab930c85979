// Stored responses: the engine to which a request goes that refers to one, and the errors if there is none.
import type { EndpointState, RoutingCore } from '../../../core/routing/index.ts';
import type { RequestHead } from '../../../io/http/index.ts';
import { type ClientSight, shownReason } from '../fleet/client-sight.ts';
import type { Engine } from '../fleet/engine.ts';
import { engineUnavailableCode, type OpenAiError } from '../requests/openai-error.ts';
import type { ProxyContext } from '../requests/proxy-context.ts';
import { EngineSearch } from './engine-search.ts';
import { noEngine, type ResponseEngines } from './response-engines.ts';

/** The path of stored responses, each by its id. */
export const storedResponsesPath = '/v1/responses/';

/** Characters of an id for which engines are asked; vLLM's have 37. */
const askedIdMax = 256;

/** What refers to a stored response. */
export interface StoredReference {
  readonly id: string;
  /** The model of a request that continues it; undefined for any. */
  readonly model: string | undefined;
  /** The field of the request that has the id. */
  readonly param: 'previous_response_id' | 'response_id';
  readonly head: RequestHead;
}

/** Where a request goes: to the engine with this URL, to any, or nowhere. */
export type Place = { readonly url: string | undefined } | { readonly error: OpenAiError };

export class StoredResponses {
  readonly #core: RoutingCore;
  readonly #authorization: ProxyContext['authorization'];
  readonly #engines: ReadonlyMap<string, Engine>;
  readonly #known: ResponseEngines;
  readonly #search = new EngineSearch();
  readonly #sight: ClientSight;

  constructor(
    { core, authorization, sight }: Pick<ProxyContext, 'core' | 'authorization' | 'sight'>,
    engines: ReadonlyMap<string, Engine>,
    known: ResponseEngines,
  ) {
    this.#core = core;
    this.#authorization = authorization;
    this.#engines = engines;
    this.#known = known;
    this.#sight = sight;
  }

  /** Where a request goes that refers to a stored response; a promise if the engines have to be asked. */
  placeOf(reference: StoredReference): Place | Promise<Place> {
    const { id, model, param } = reference;
    const url = this.#known.of(id);
    if (url !== undefined) return this.#placeAt(url, reference);
    const engines = this.#candidates(model, param);
    // An engine says itself that it has no such response.
    if (engines.length <= 1) return { url: engines[0]?.url };
    if (id.length > askedIdMax || !id.isWellFormed()) {
      return { error: notFound(reference, 'No engine gives such an id.') };
    }
    return this.#searched(engines, reference);
  }

  #placeAt(url: string, reference: StoredReference): Place {
    if (url === noEngine) {
      const why = 'Several engines wrote it in turn, and none has all of it.';
      return { error: notFound(reference, `${why} Send the whole conversation instead.`) };
    }
    const engine = this.#engines.get(url);
    if (engine === undefined) {
      const where = this.#sight.isOpen ? `the engine ${url}` : 'an engine';
      const why = `It was on ${where}, which is gone. Send the whole conversation instead.`;
      return { error: notFound(reference, why) };
    }
    const state = this.#core.endpoint(url);
    // One that is asleep has its responses, and continues none. One that is held for dead may only be slow.
    if (state?.state !== 'asleep' || reference.param === 'response_id') return { url };
    const why = shownReason(this.#sight, `${state.state} (${state.reason})`);
    const what = `is on the engine ${engine.shown.label}, which is ${why}`;
    return { error: engineUnavailable(reference.param, reference.id, what) };
  }

  /** The engines that can have it. */
  #candidates(model: string | undefined, param: StoredReference['param']): Engine[] {
    const cannot: readonly EndpointState[] = param === 'response_id' ? [] : ['asleep'];
    const found: Engine[] = [];
    for (const { url, models, state } of this.#core.liveView()) {
      if (cannot.includes(state) || (model !== undefined && !models.includes(model))) continue;
      const engine = this.#engines.get(url);
      if (engine !== undefined) found.push(engine);
    }
    return found;
  }

  async #searched(engines: readonly Engine[], reference: StoredReference): Promise<Place> {
    const { id, head } = reference;
    const path = storedResponsesPath + encodeURIComponent(id);
    const found = await this.#search.find(engines, path, this.#authorizationLines(head));
    if (typeof found === 'object') {
      this.#known.remember(id, found.url);
      return { url: found.url };
    }
    const why =
      found === 'none'
        ? `None of the ${engines.length} engines has it.`
        : 'The router does not know its engine; it has too much to do to ask the engines for it.';
    return { error: notFound(reference, why) };
  }

  #authorizationLines({ headers }: RequestHead): string {
    const authorization = this.#authorization;
    if (authorization === undefined) return '';
    if (authorization !== 'client') return `authorization: ${authorization.value}\r\n`;
    return ['authorization', 'x-api-key']
      .map((name) => {
        const value = headers.get(name);
        return value === undefined ? '' : `${name}: ${value}\r\n`;
      })
      .join('');
  }
}

/** OpenAI's clients look for this code, and send the whole conversation then. */
function notFound({ id, param }: StoredReference, why: string): OpenAiError {
  const isPrevious = param === 'previous_response_id';
  return {
    ...{ status: 404, param },
    message: `${isPrevious ? 'Previous response' : 'Response'} with id '${shown(id)}' not found. ${why}`,
    code: isPrevious ? 'previous_response_not_found' : 'response_not_found',
  };
}

/** @param what What about its engine, after the subject. */
function engineUnavailable(param: string, id: string, what: string): OpenAiError {
  const message = `The response '${shown(id)}' ${what}. Retry later.`;
  return { status: 503, message, param, code: engineUnavailableCode };
}

function shown(id: string): string {
  return (id.length <= 100 ? id : `${id.slice(0, 100)}…`).toWellFormed();
}
