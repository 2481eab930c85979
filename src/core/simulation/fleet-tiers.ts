// What a simulated router knows of the tiers below the GPUs: what LMCache in the engines has, without delay, as its controller
// tells a real router.
import type { Clock } from '../base/index.ts';
import type { HeldRun, KvConnector } from '../engine/index.ts';
import {
  type CacheTier,
  type Endpoint,
  noTiers,
  type RoutingRequest,
  type TierIndex,
  type TierRun,
} from '../routing/index.ts';
import type { FleetRoutingRequest } from './fleet-request.ts';

/** An engine, as far as its tiers are concerned. */
export interface TieredEngine {
  readonly connector: KvConnector | undefined;
  readonly blockSize: number;
}

/** What vLLM calls the source of a hit, by tier. */
const tierOfSource: Readonly<Record<HeldRun['source'], CacheTier>> = {
  ...{ host: 'host', p2p: 'peer', disk: 'disk', external_unspecified: 'store' },
};
const sourceOfTier: Readonly<Record<CacheTier, HeldRun['source']>> = {
  ...{ host: 'host', peer: 'p2p', disk: 'disk', store: 'external_unspecified' },
};

export class FleetTiers implements TierIndex {
  readonly isLive = true;
  readonly #engineOf: (url: string) => TieredEngine | undefined;
  readonly #clock: Clock;

  constructor(engineOf: (url: string) => TieredEngine | undefined, clock: Clock) {
    this.#engineOf = engineOf;
    this.#clock = clock;
  }

  match(request: RoutingRequest, endpoints: readonly Endpoint[]): readonly (readonly TierRun[])[] {
    const nowSeconds = this.#clock.nowSeconds();
    const { blockKeys, promptTokens } = request as FleetRoutingRequest;
    return endpoints.map(({ url }) => {
      const engine = this.#engineOf(url);
      if (engine?.connector?.leading === undefined) return [];
      const keyOf = blockKeys(engine.blockSize);
      const runs = engine.connector.leading(keyOf, promptTokens, nowSeconds);
      return runs.map(({ source, endTokens }) => ({ tier: tierOfSource[source], endTokens }));
    });
  }

  loadSecondsPerToken(tier: CacheTier, request: RoutingRequest, endpoint: Endpoint): number {
    const { connector } = this.#engineOf(endpoint.url) ?? {};
    return (
      connector?.loadSecondsPerToken?.(sourceOfTier[tier]) ??
      noTiers.loadSecondsPerToken(tier, request, endpoint)
    );
  }

  computeSecondsPerToken(request: RoutingRequest): number {
    return noTiers.computeSecondsPerToken(request);
  }
}
