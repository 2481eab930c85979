// The attempts of other routers before the same engines, booked as if they were ours.
import type { AttemptNews, SentNews } from './attempt-news.ts';
import { BookedAttempt } from './booked-attempt.ts';
import type { Pick, Policy, RoutingRequest } from './contract.ts';
import type { EndpointRecord } from './endpoint-record.ts';

/**
 * Attempts of one router that are booked at a time. What it sends beyond is not: the engines'
 * reports show it as the load of somebody unheard.
 */
const heardAttemptsMax = 65_536;

export class HeardAttempts {
  readonly #policy: Policy;
  /** By router, then by the number that it gave to the attempt. */
  readonly #routers = new Map<string, Map<number, BookedAttempt>>();

  constructor(policy: Policy) {
    this.#policy = policy;
  }

  /** @param endpoint That of a sent attempt; undefined if this router has no such engine. */
  sent(router: string, news: SentNews, endpoint: EndpointRecord | undefined, at: number): void {
    if (endpoint === undefined) return;
    const attempts = this.#routers.get(router) ?? new Map<number, BookedAttempt>();
    if (attempts.has(news.attempt) || attempts.size >= heardAttemptsMax) return;
    this.#routers.set(router, attempts);
    const booked = this.#book(router, news, endpoint);
    attempts.set(news.attempt, booked);
    booked.sent(at);
  }

  /** What became of an attempt; of one that was not booked, nothing. */
  went(router: string, news: Exclude<AttemptNews, SentNews>, at: number): void {
    const attempts = this.#routers.get(router);
    const booked = attempts?.get(news.attempt);
    if (news.kind === 'firstByte') {
      booked?.firstByte(at);
      return;
    }
    booked?.finish(news, at);
    attempts?.delete(news.attempt);
  }

  /** What it has in flight is taken for cancelled. */
  forget(router: string, nowSeconds: number): void {
    const attempts = this.#routers.get(router)?.values() ?? [];
    this.#routers.delete(router);
    for (const booked of attempts) booked.finish({ status: 'cancelled' }, nowSeconds);
  }

  #book(router: string, news: SentNews, endpoint: EndpointRecord): BookedAttempt {
    const request = requestOf(router, news);
    const adopted = this.#policy.adopt?.(request, endpoint, news.cachedTokens);
    return new BookedAttempt({
      request,
      pick: adopted ?? pickElsewhere(endpoint, news.cachedTokens),
      policy: adopted && this.#policy,
      loads: [endpoint.load],
    });
  }
}

function requestOf(router: string, news: SentNews): RoutingRequest {
  const { attempt, blocks, promptTokens, stream } = news;
  return {
    id: `${router}/${attempt}`,
    model: undefined,
    session: undefined,
    prompt: [],
    promptBlockNames: (blockBytes) => (blocks?.blockBytes === blockBytes ? blocks : undefined),
    promptTokens,
    tokens: undefined,
    outputTokensMax: undefined,
    stream,
  };
}

function pickElsewhere(endpoint: EndpointRecord, cachedTokens: number): Pick {
  return { endpoint, reason: 'another router picked it', cachedTokens, scores: undefined };
}
