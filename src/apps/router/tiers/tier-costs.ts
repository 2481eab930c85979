// What loading the KV of a token costs on an engine's links, and computing it: from settings, the catalogue, and defaults.
import { LruMap } from '../../../core/base/index.ts';
import {
  type CacheTier,
  computeSecondsPerTokenDefault,
  kvBytesPerTokenDefault,
  tierRates,
} from '../../../core/routing/index.ts';

/** A rate per tier, in bytes per second; tiers that it lacks have their default. */
export type TierRates = Partial<Readonly<Record<CacheTier, number>>>;

/** Settings of the links between engines and their tiers. */
export interface TierSettings {
  /** KV bytes of one token, summed over the GPUs of an engine, by model. @default that of the catalogue */
  readonly kvBytesPerToken?: ReadonlyMap<string, number> | undefined;
  /** Rates of all engines, summed over the links of an engine's GPUs. @default `tierRates` */
  readonly rates?: TierRates | undefined;
  /** Rates of single engines, by URL. */
  readonly engineRates?: ReadonlyMap<string, TierRates> | undefined;
}

/** Costs of one token of a model. */
export interface ModelCost {
  /** Over all GPUs of an engine. */
  readonly kvBytes: number;
  readonly computeSeconds: number;
}

/** Models whose cost is kept: names come from clients. */
const modelsMax = 256;

export class TierCosts {
  readonly #settings: TierSettings;
  readonly #catalogue: (model: string) => ModelCost | undefined;
  readonly #models = new LruMap<string, ModelCost>({ entriesMax: modelsMax });

  /** @param catalogue Undefined for unknown models. */
  constructor(
    settings: TierSettings = {},
    catalogue: (model: string) => ModelCost | undefined = () => undefined,
  ) {
    this.#settings = settings;
    this.#catalogue = catalogue;
  }

  loadSecondsPerToken(tier: CacheTier, model: string | undefined, url: string): number {
    const { rates, engineRates } = this.#settings;
    const rate = engineRates?.get(url)?.[tier] ?? rates?.[tier] ?? tierRates[tier];
    return this.#costOf(model).kvBytes / rate;
  }

  computeSecondsPerToken(model: string | undefined): number {
    return this.#costOf(model).computeSeconds;
  }

  #costOf(model = ''): ModelCost {
    const known = this.#models.get(model);
    if (known !== undefined) return known;
    const found = this.#catalogue(model);
    const cost = {
      kvBytes:
        this.#settings.kvBytesPerToken?.get(model) ?? found?.kvBytes ?? kvBytesPerTokenDefault,
      computeSeconds: found?.computeSeconds ?? computeSecondsPerTokenDefault,
    };
    this.#models.set(model, cost);
    return cost;
  }
}
