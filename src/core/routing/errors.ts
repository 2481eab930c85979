// Errors for requests that no engine can serve.
import { SpillwayError } from '../base/index.ts';

/** The model is known, but no engine that serves it can take the request now. */
export class NoEndpointError extends SpillwayError {
  override readonly name = 'NoEndpointError';
  readonly code = 'ERR_NO_ENDPOINT';
  readonly httpStatus = 503;
  /** Endpoint URL to why it was excluded: its state and the reason for that, or "already tried". */
  readonly rejections: ReadonlyMap<string, string>;

  constructor(model: string | undefined, rejections: ReadonlyMap<string, string>) {
    const what = model === undefined ? 'this request' : `model "${model}"`;
    const why = [...rejections].slice(0, 4).map(([url, reason]) => `${url} ${reason}`);
    const more = rejections.size > 4 ? `, and ${rejections.size - 4} more` : '';
    super(
      rejections.size === 0
        ? `No engine can serve ${what} now: the router has no engines. Add one and retry.`
        : `No engine can serve ${what} now: ${why.join('; ')}${more}. Retry later.`,
    );
    this.rejections = rejections;
  }
}

/** No engine, live or not, has ever served this model. */
export class UnknownModelError extends SpillwayError {
  override readonly name = 'UnknownModelError';
  readonly code = 'ERR_UNKNOWN_MODEL';
  readonly httpStatus = 404;
  /** Models that can be requested instead. */
  readonly knownModels: readonly string[];

  /** @param silent Endpoint URL to why it lists no models; the model may be one of theirs. */
  constructor(
    model: string,
    knownModels: readonly string[],
    silent: ReadonlyMap<string, string> = new Map(),
  ) {
    const known = knownModels.slice(0, 20).join(', ') || 'none';
    const [first] = silent;
    const others = silent.size > 1 ? ` and ${silent.size - 1} more` : '';
    const unlisted = first ? `, and no list from ${first[0]}${others} (${first[1]})` : '';
    super(`The model "${model}" does not exist here; known: ${known}${unlisted}.`);
    this.knownModels = knownModels;
  }
}
