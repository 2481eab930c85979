// Errors for requests that no engine can serve.
import { SpillwayError } from '../base/index.ts';

/** The model is known, but no engine that serves it can take the request now. */
export class NoEndpointError extends SpillwayError {
  override readonly name = 'NoEndpointError';
  readonly code = 'ERR_NO_ENDPOINT';
  readonly httpStatus = 503;
  /** Endpoint URL to why it was excluded: its state and the reason for that, or "already tried". */
  readonly rejections: ReadonlyMap<string, string>;
  readonly #what: string;
  readonly #served: readonly string[];

  /** @param served Models of the engines that there are, none of which is this one. */
  constructor(
    model: string | undefined,
    rejections: ReadonlyMap<string, string>,
    served: readonly string[] = [],
  ) {
    const what = model === undefined ? 'this request' : `model "${model}"`;
    super(withoutEndpoint(what, [...rejections], served));
    this.rejections = rejections;
    this.#what = what;
    this.#served = served;
  }

  /** The message with other words for the engines. @param tell Names an engine, and says why it was excluded. */
  told(tell: (url: string, why: string) => readonly [string, string]): string {
    return withoutEndpoint(
      this.#what,
      Array.from(this.rejections, ([url, why]) => tell(url, why)),
      this.#served,
    );
  }
}

/** Engines that a message names. */
const namedMax = 4;

function withoutEndpoint(
  what: string,
  rejections: readonly (readonly [string, string])[],
  served: readonly string[],
): string {
  if (rejections.length === 0 && served.length > 0) {
    return `No engine serves ${what}: the engines list ${listed(served)}. Check the names of models that the router was given.`;
  }
  if (rejections.length === 0) {
    return `No engine can serve ${what} now: the router has no engines. Add one and retry.`;
  }
  const why = rejections.slice(0, namedMax).map(([engine, reason]) => `${engine} ${reason}`);
  const more = rejections.length > namedMax ? `, and ${rejections.length - namedMax} more` : '';
  return `No engine can serve ${what} now: ${why.join('; ')}${more}. Retry later.`;
}

/** No engine, live or not, has ever served this model. */
export class UnknownModelError extends SpillwayError {
  override readonly name = 'UnknownModelError';
  readonly code = 'ERR_UNKNOWN_MODEL';
  readonly httpStatus = 404;
  /** Models that can be requested instead. */
  readonly knownModels: readonly string[];
  readonly #model: string;
  readonly #silent: ReadonlyMap<string, string>;

  /** @param silent Endpoint URL to why it lists no models; the model may be one of theirs. */
  constructor(
    model: string,
    knownModels: readonly string[],
    silent: ReadonlyMap<string, string> = new Map(),
  ) {
    super(unknownModel(model, knownModels, silent, (url, why) => [url, ` (${why})`]));
    this.knownModels = knownModels;
    this.#model = model;
    this.#silent = silent;
  }

  /** The message with other words for engines that list no models. @param name Of the engine with a URL. */
  told(name: (url: string) => string): string {
    return unknownModel(this.#model, this.knownModels, this.#silent, (url) => [name(url), '']);
  }
}

function listed(models: readonly string[]): string {
  return models.slice(0, 20).join(', ') || 'none';
}

function unknownModel(
  model: string,
  knownModels: readonly string[],
  silent: ReadonlyMap<string, string>,
  tell: (url: string, why: string) => readonly [string, string],
): string {
  const known = listed(knownModels);
  const [first] = silent;
  const others = silent.size > 1 ? ` and ${silent.size - 1} more` : '';
  const [engine, why] = first ? tell(...first) : [];
  const unlisted = first ? `, and no list from ${engine}${others}${why}` : '';
  return `The model "${model}" does not exist here; known: ${known}${unlisted}.`;
}
