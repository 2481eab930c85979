// Session affinity: one session's requests go to one engine for as long as it lives.
import type { Endpoint, Pick, Policy, RoutingRequest } from '../../contract.ts';
import { definePolicy } from '../../define-policy.ts';
import { LeastLoadedPolicy } from '../leastloaded/leastloaded.ts';

export const session = definePolicy({
  name: 'session',
  summary: 'the same engine for each session id, as long as that engine is available',
  parameters: {},
  consumes: { sessions: 'required' },
  create: ({ random }) => new SessionPolicy(new LeastLoadedPolicy(random)),
});

/**
 * Rendezvous hashing (highest random weight): each engine's weight for a session is a hash of both
 * names, and the heaviest candidate wins. When an engine leaves, only its own sessions move; when
 * one joins, it takes 1/n of them and no other session moves. There is no ring to keep in step, so
 * requests for different models, or retries that exclude an engine, do not disturb each other.
 *
 * @see D. Thaler and C. V. Ravishankar, "Using name-based mappings to increase hit rates", 1998.
 */
export class SessionPolicy implements Policy {
  readonly name = 'session';
  readonly needsTokens = false;
  readonly #withoutSession: LeastLoadedPolicy;
  /** Endpoint to the hash of its URL. One entry per engine; entries leave with it. */
  readonly #urlHashes = new Map<Endpoint, number>();

  /** @param withoutSession Picks for requests that carry no session id. */
  constructor(withoutSession: LeastLoadedPolicy) {
    this.#withoutSession = withoutSession;
  }

  pick(request: RoutingRequest, endpoints: readonly Endpoint[]): Pick {
    if (!request.session) {
      const pick = this.#withoutSession.pick(request, endpoints);
      return { ...pick, reason: `no session id; ${pick.reason}` };
    }
    const sessionHash = hashString(request.session);
    let best: Endpoint | undefined;
    let bestWeight = Number.NEGATIVE_INFINITY;
    for (const endpoint of endpoints) {
      const weight = mix(sessionHash ^ mix(this.#urlHash(endpoint)));
      // Equal weights (1 in 2^32) go to the lower URL, whatever the order of the candidates.
      const isTied = weight === bestWeight;
      if (weight > bestWeight || (isTied && endpoint.url < (best as Endpoint).url)) {
        best = endpoint;
        bestWeight = weight;
      }
    }
    const reason = 'the session hashes to it';
    return {
      ...{ endpoint: best as Endpoint, reason, ground: 'session' },
      ...{ cachedTokens: 0, scores: undefined },
    };
  }

  onEndpointReset(endpoint: Endpoint): void {
    this.#urlHashes.delete(endpoint);
  }

  #urlHash(endpoint: Endpoint): number {
    let hash = this.#urlHashes.get(endpoint);
    if (hash === undefined) {
      hash = hashString(endpoint.url);
      this.#urlHashes.set(endpoint, hash);
    }
    return hash;
  }
}

/** FNV-1a over UTF-16 code units, then mixed: short names that differ in one digit spread well. */
function hashString(text: string): number {
  let hash = 0x811c9dc5;
  for (let i = 0; i < text.length; i++) {
    hash = Math.imul(hash ^ text.charCodeAt(i), 0x01000193);
  }
  return mix(hash);
}

/** MurmurHash3's 32-bit finaliser: every input bit changes every output bit with chance 1/2. */
function mix(value: number): number {
  let hash = value;
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b);
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35);
  return (hash ^ (hash >>> 16)) >>> 0;
}
