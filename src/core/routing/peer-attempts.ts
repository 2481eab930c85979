// The attempts of peer routers in front of the same engines, counted as if they were ours.
import type { AttemptUpdate, FinishedUpdate, SentUpdate } from './attempt-update.ts';
import { BookedAttempt } from './booked-attempt.ts';
import type { Pick, Policy, RoutingRequest } from './contract.ts';
import type { EndpointRecord } from './endpoint-record.ts';

/**
 * Maximum number of attempts of one router that are counted at a time. Further ones are not: the engines'
 * reports show them as the load of an unknown router.
 */
const peerAttemptsMax = 65_536;

/** An attempt of a peer has ended. */
export interface PeerEnd {
  readonly endpoint: EndpointRecord;
  readonly update: FinishedUpdate;
  readonly sentSeconds: number;
  readonly atSeconds: number;
}

export class PeerAttempts {
  #policy: Policy;
  readonly #onEnd: ((end: PeerEnd) => void) | undefined;
  /** By router, then by the router's number for the attempt. */
  readonly #routers = new Map<string, Map<number, BookedAttempt>>();

  /** @param onEnd Called for each attempt whose end a peer reports. */
  constructor(policy: Policy, onEnd?: (end: PeerEnd) => void) {
    this.#policy = policy;
    this.#onEnd = onEnd;
  }

  /** Passes new attempts to another policy from now on. */
  setPolicy(policy: Policy): void {
    this.#policy = policy;
  }

  /** @param endpoint The attempt's endpoint; undefined if this router has no such engine. */
  sent(router: string, update: SentUpdate, endpoint: EndpointRecord | undefined, at: number): void {
    if (endpoint === undefined) return;
    const attempts = this.#routers.get(router) ?? new Map<number, BookedAttempt>();
    if (attempts.has(update.attempt) || attempts.size >= peerAttemptsMax) return;
    this.#routers.set(router, attempts);
    const booked = this.#book(router, update, endpoint);
    attempts.set(update.attempt, booked);
    booked.sent(at);
  }

  /** Applies an update about a sent attempt; unknown attempts are ignored. */
  went(router: string, update: Exclude<AttemptUpdate, SentUpdate>, at: number): void {
    const attempts = this.#routers.get(router);
    const booked = attempts?.get(update.attempt);
    if (update.kind === 'firstByte') {
      booked?.firstByte(at);
      return;
    }
    if (booked === undefined) return;
    attempts?.delete(update.attempt);
    booked.finish(update, at);
    // Its endpoint is the record that `sent` was given.
    const endpoint = booked.pick.endpoint as EndpointRecord;
    this.#onEnd?.({ endpoint, update, sentSeconds: booked.sentAtSeconds, atSeconds: at });
  }

  /** Counts the router's attempts in flight as cancelled. */
  forget(router: string, nowSeconds: number): void {
    const attempts = this.#routers.get(router)?.values() ?? [];
    this.#routers.delete(router);
    for (const booked of attempts) booked.finish({ status: 'cancelled' }, nowSeconds);
  }

  /** The engine was removed: attempts in flight there count as cancelled. */
  forgetEndpoint(endpoint: EndpointRecord, nowSeconds: number): void {
    for (const attempts of this.#routers.values()) {
      for (const [attempt, booked] of attempts) {
        if (booked.pick.endpoint !== endpoint) continue;
        attempts.delete(attempt);
        booked.finish({ status: 'cancelled' }, nowSeconds);
      }
    }
  }

  #book(router: string, update: SentUpdate, endpoint: EndpointRecord): BookedAttempt {
    const request = requestOf(router, update);
    const adopted = this.#policy.adopt?.(request, endpoint, update.cachedTokens);
    const pick = adopted ?? pickElsewhere(endpoint, update.cachedTokens);
    const policy = adopted && this.#policy;
    return new BookedAttempt({ request, pick, policy }, [endpoint.load]);
  }
}

function requestOf(router: string, update: SentUpdate): RoutingRequest {
  const { attempt, blocks, promptTokens, stream } = update;
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
