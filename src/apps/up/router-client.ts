// What `spillway up` asks the router that it has started.
import {
  type EngineHistoryView,
  type PickView,
  parseHistoryView,
  parsePickViews,
  parseRequestViews,
  parseRouterView,
  type RequestView,
  type RouterView,
} from '../../core/views/index.ts';
import { type ProbeTls, probe } from '../../io/processes/index.ts';

const timeoutMs = 2_000;

/** What the router knows of one engine; empty while it does not respond. */
export interface EngineTraffic {
  readonly requests: readonly RequestView[];
  readonly picks: readonly PickView[];
  /** Undefined before the first point, too. */
  readonly history: EngineHistoryView | undefined;
}

export class RouterClient {
  /** Base URL of its views. */
  readonly #url: string;
  /** The key that the router requires from every client, this program included. */
  readonly #key: string | undefined;
  readonly #tls: ProbeTls | undefined;

  constructor(url: string, key: string | undefined, tls: ProbeTls | undefined) {
    this.#url = url;
    this.#key = key;
    this.#tls = tls;
  }

  /** Undefined if it does not respond within 2 s. */
  view(): Promise<RouterView | undefined> {
    return this.#ask('/debug/router', parseRouterView);
  }

  /** Whether the router serves the web page at `/`. */
  async servesPage(): Promise<boolean> {
    const options = { timeoutMs, key: this.#key, tls: this.#tls };
    const answer = await probe(`${this.#url}/`, options).catch(() => undefined);
    return answer?.status === 200;
  }

  /** The recent requests of an engine. @param url As the router knows it. */
  async traffic(url: string): Promise<EngineTraffic> {
    const isOwn = (item: { readonly url: string | null }): boolean => item.url === url;
    const [requests, picks, history] = await Promise.all([
      this.#ask('/debug/requests', parseRequestViews),
      this.#ask('/debug/picks', parsePickViews),
      this.#ask(`/dashboard/history?engine=${encodeURIComponent(url)}`, parseHistoryView),
    ]);
    return {
      requests: requests?.filter(isOwn) ?? [],
      picks: picks?.filter(isOwn) ?? [],
      history: history?.engines[0],
    };
  }

  /** @returns Undefined if it does not respond in time, or not as expected. */
  async #ask<T>(path: string, parse: (json: string) => T): Promise<T | undefined> {
    const options = { timeoutMs, key: this.#key, tls: this.#tls };
    const answer = await probe(this.#url + path, options).catch(() => undefined);
    return answer?.status === 200 ? parse(answer.body) : undefined;
  }
}
