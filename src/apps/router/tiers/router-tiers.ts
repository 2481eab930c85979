// KV cache below the GPUs of the fleet, from LMCache's control planes, as an index for the policies.
import type {
  CacheTier,
  Endpoint,
  RoutingRequest,
  TierIndex,
  TierRun,
} from '../../../core/routing/index.ts';
import { type ModelCost, TierCosts, type TierSettings } from './tier-costs.ts';
import type { TierSource } from './tier-source.ts';

export class RouterTiers implements TierIndex {
  readonly #settings: TierSettings | undefined;
  #costs: TierCosts;
  readonly #isAdapter: (model: string) => boolean;
  readonly #sources: TierSource[] = [];

  /** @param isAdapter Whether a model is a LoRA adapter, whose KV LMCache's names do not tell from that of its base. */
  constructor(settings: TierSettings | undefined, isAdapter: (model: string) => boolean) {
    this.#settings = settings;
    this.#costs = new TierCosts(settings);
    this.#isAdapter = isAdapter;
  }

  /** @param catalogue Costs of models that the settings do not name. */
  add(source: TierSource, catalogue: (model: string) => ModelCost | undefined): void {
    this.#sources.push(source);
    this.#costs = new TierCosts(this.#settings, catalogue);
  }

  get isLive(): boolean {
    return this.#sources.some((source) => source.isLive);
  }

  /** Of several control planes, each engine counts with the one that knows more of the prompt. */
  match(request: RoutingRequest, endpoints: readonly Endpoint[]): readonly (readonly TierRun[])[] {
    const { model, cacheSalt } = request;
    let best: readonly (readonly TierRun[])[] = endpoints.map(() => []);
    if (cacheSalt !== undefined || (model !== undefined && this.#isAdapter(model))) return best;
    for (const source of this.#sources) {
      if (!source.isLive) continue;
      const found = source.match(request, endpoints);
      best = best.map((runs, i) => longer(runs, found[i] ?? []));
    }
    return best;
  }

  loadSecondsPerToken(tier: CacheTier, { model }: RoutingRequest, { url }: Endpoint): number {
    return this.#costs.loadSecondsPerToken(tier, model, url);
  }

  computeSecondsPerToken({ model }: RoutingRequest): number {
    return this.#costs.computeSecondsPerToken(model);
  }
}

function longer(a: readonly TierRun[], b: readonly TierRun[]): readonly TierRun[] {
  return (b.at(-1)?.endTokens ?? 0) > (a.at(-1)?.endTokens ?? 0) ? b : a;
}
