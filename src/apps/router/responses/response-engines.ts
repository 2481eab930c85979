// Which engine has which stored response: engines keep them in their own memory, so that a request that refers to one has to
// go to the engine that wrote it.
import type { Clock } from '../../../core/base/index.ts';
import type { MetricsRegistry } from '../../../core/metrics/index.ts';

/** Responses that are remembered, here and from peer routers; beyond it, the one used least recently is forgotten. */
const responsesMax = 100_000;
/** Longer ids, and ids with other bytes, are not remembered: vLLM's have 37 characters. */
const idPattern = /^[\x21-\x7e]{1,256}$/;
/** After its last use, a response is remembered for so long. */
const expirySeconds = 24 * 3600;

/** In place of a URL: no engine has the response, because several engines wrote a part of it each. */
export const noEngine = '';

interface Known {
  readonly url: string;
  readonly untilSeconds: number;
}

/** @example engines.learn('resp_1', 'http://a'); engines.of('resp_1'); // 'http://a' */
export class ResponseEngines {
  readonly #clock: Clock;
  readonly #responsesMax: number;
  /** By id, the one used least recently first. */
  readonly #known = new Map<string, Known>();
  /** Told of each response that an engine has begun here, for peer routers. */
  onLearned: ((id: string, url: string) => void) | undefined = undefined;

  constructor(clock: Clock, max = responsesMax) {
    this.#clock = clock;
    this.#responsesMax = max;
  }

  /** Number of responses. */
  get size(): number {
    return this.#known.size;
  }

  /** An engine has begun a response, and keeps it. */
  learn(id: string, url: string): void {
    if (this.remember(id, url)) this.onLearned?.(id, url);
  }

  /** The same, from a peer router or from a search. @returns Whether it is remembered. */
  remember(id: string, url: string): boolean {
    if (!idPattern.test(id)) return false;
    this.#known.delete(id);
    this.#known.set(id, { url, untilSeconds: this.#clock.nowSeconds() + expirySeconds });
    if (this.#known.size > this.#responsesMax) {
      const [oldest] = this.#known.keys();
      this.#known.delete(oldest as string);
    }
    return true;
  }

  /** The URL of the engine that has a response; undefined if it is not known. */
  of(id: string): string | undefined {
    const known = this.#known.get(id);
    if (known === undefined) return undefined;
    if (known.untilSeconds < this.#clock.nowSeconds()) {
      this.#known.delete(id);
      return undefined;
    }
    this.remember(id, known.url);
    return known.url;
  }

  /** The responses used last, for a peer router that connects: the newest last. */
  newest(max: number): [id: string, url: string][] {
    const all = [...this.#known];
    return all.slice(Math.max(0, all.length - max)).map(([id, { url }]) => [id, url]);
  }
}

export function declareStoredResponses(registry: MetricsRegistry, known: ResponseEngines): void {
  const gauge = registry.gauge({
    name: 'spillway_router_stored_responses',
    help: 'Responses of which the router remembers the engine that stores them.',
  });
  registry.onRender(() => gauge.with().set(known.size));
}
