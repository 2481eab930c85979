// Finds the engine of a stored response that the router does not know, as after its restart: asks the engines for it.
import type { ResponseHead, ResponseSink, UpstreamExchange } from '../../../io/http/index.ts';
import type { ProxyTarget } from '../requests/proxy-target.ts';

/** Searches at once; each one sends a request to every engine. */
const searchesMax = 16;
/** In a larger fleet nothing is searched. */
const enginesMax = 64;
/** Engines answer from memory. */
const searchMs = 2_000;

export class EngineSearch {
  #running = 0;

  /**
   * @param path Of the response, without the path of the engine.
   * @param lines Header lines, each with CR LF.
   * @returns The first engine that has it; `none` if no engine that answers has; `not searched` if there are too many
   *   searches, or engines.
   */
  async find(
    engines: readonly ProxyTarget[],
    path: string,
    lines: string,
  ): Promise<ProxyTarget | 'none' | 'not searched'> {
    if (this.#running >= searchesMax || engines.length > enginesMax) return 'not searched';
    this.#running++;
    const sinks = engines.map((engine) => new Lookup(engine, path, lines));
    const { promise, resolve } = Promise.withResolvers<ProxyTarget | 'none'>();
    const timer = setTimeout(() => resolve('none'), searchMs);
    void Promise.all(
      sinks.map(async ({ engine, isThere }) => {
        if (await isThere) resolve(engine);
      }),
    ).then(() => resolve('none'));
    try {
      return await promise;
    } finally {
      clearTimeout(timer);
      this.#running--;
      for (const sink of sinks) sink.end();
    }
  }
}

/** One request for a response, of which only the status is read. */
class Lookup implements ResponseSink {
  readonly engine: ProxyTarget;
  readonly isThere: Promise<boolean>;
  readonly #resolve: (isThere: boolean) => void;
  #exchange: UpstreamExchange | undefined;

  constructor(engine: ProxyTarget, path: string, lines: string) {
    const { promise, resolve } = Promise.withResolvers<boolean>();
    this.engine = engine;
    this.isThere = promise;
    this.#resolve = resolve;
    const head =
      `GET ${engine.basePath}${path} HTTP/1.1\r\nhost: ${engine.host}\r\n` +
      `accept-encoding: identity\r\n${lines}\r\n`;
    this.#exchange = engine.pool.send({ head, body: undefined, toHead: false }, this);
  }

  onHead({ status }: ResponseHead, _bytes: Buffer, ended: boolean): boolean {
    if (ended) this.#exchange = undefined;
    // What is there may be long, and is not read here.
    else if (status === 200) this.end();
    this.#resolve(status === 200);
    return false;
  }

  onBytes(_bytes: Buffer, ended: boolean): boolean {
    if (ended) this.#exchange = undefined;
    return false;
  }

  onFailure(): void {
    this.#exchange = undefined;
    this.#resolve(false);
  }

  /** Nothing more is wanted of it. */
  end(): void {
    this.#exchange?.abort();
    this.#exchange = undefined;
    this.#resolve(false);
  }
}
