// What loading the KV of a token costs on an engine's links, and computing it: from settings, and for models of the
// catalogue from their shape.
import { LruMap } from '../../../core/base/index.ts';
import {
  activeParameters,
  findModel,
  guessModel,
  kvBytesPerToken,
  type ModelSpec,
} from '../../../core/engine/index.ts';
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

interface ModelCost {
  readonly kvBytes: number;
  readonly computeSeconds: number;
}

/** Models whose cost is kept: names come from clients. */
const modelsMax = 256;
/** Half of what an H100 has in bfloat16: 989 TFLOP/s. */
const flopsPerSecond = 0.5 * 989e12;

export class TierCosts {
  readonly #settings: TierSettings;
  readonly #models = new LruMap<string, ModelCost>({ entriesMax: modelsMax });

  constructor(settings: TierSettings = {}) {
    this.#settings = settings;
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
    const spec = specOf(model);
    const cost = {
      kvBytes:
        this.#settings.kvBytesPerToken?.get(model) ??
        (spec ? kvBytesPerToken(spec) : kvBytesPerTokenDefault),
      computeSeconds: spec
        ? (2 * activeParameters(spec)) / flopsPerSecond
        : computeSecondsPerTokenDefault,
    };
    this.#models.set(model, cost);
    return cost;
  }
}

function specOf(model: string): ModelSpec | undefined {
  try {
    return findModel(model);
  } catch {
    // Not in the catalogue.
    return guessModel(model);
  }
}
