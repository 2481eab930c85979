// How wrong the simulation may be: one draw for each simulated fleet, from errors that were measured.
import { type Random, randomInteger } from '../../core/base/index.ts';

/** Factors on what the engine model computes. */
export interface ModelError {
  /** On the rates at which prompts are computed. */
  readonly prefillRate: number;
  /** On the rates at which tokens are generated. */
  readonly decodeRate: number;
  /** Share of a step that an engine with a KV tier loses beyond what the tier's model counts. */
  readonly tierOverhead: number;
}

/** The model as it is. */
export const noModelError: ModelError = { prefillRate: 1, decodeRate: 1, tierOverhead: 0 };

/** Standard deviation of a logarithm of which 90 % lie between the two. */
const sigmaBetween = (low: number, high: number) => Math.log(high / low) / 2 / 1.645;
/**
 * Real over predicted of dense models' held-out points: 90 % of TTFT lie in 0.68 to 1.52, of TPOT in
 * 0.82 to 1.18.
 *
 * @see docs/models/engine-model.md
 */
const prefillSigma = sigmaBetween(0.68, 1.52);
const decodeSigma = sigmaBetween(0.82, 1.18);
/**
 * What a tier costs where it brings nothing. Its model counts transfers that others wait for, and leaves
 * out that copies slow the steps beside them and what lookups cost the host (docs/models/kv-tiers.md).
 * Between nothing, as modelled, and the upper end of the 3 to 5 % of lesson 17·18 of
 * rohitg00/ai-engineering-from-scratch; LMCache's users report up to 15 % on prompts that never repeat.
 */
const tierOverheadMax = 0.05;

/**
 * `count` errors that spread over their distributions evenly (a Latin hypercube): each error takes each
 * of `count` equally likely values once, in orders that have as little as can be to do with each other.
 * A few runs then tell the width of the interval, whatever the seed.
 */
export function modelErrors(count: number, random: Random): ModelError[] {
  const middles = Array.from({ length: count }, (_, i) => (i + 0.5) / count);
  const [prefill, decode, tier] = unrelatedOrders(middles, random);
  return middles.map((_, i) => ({
    prefillRate: Math.exp(prefillSigma * normalQuantile(prefill[i] as number)),
    decodeRate: Math.exp(decodeSigma * normalQuantile(decode[i] as number)),
    tierOverhead: tierOverheadMax * (tier[i] as number),
  }));
}

/** Orders tried; of three orders of five values most such searches find one with next to no relation. */
const ordersTried = 300;

type Orders = readonly [readonly number[], readonly number[], readonly number[]];

/** Three orders of the values, the least related of many: of two errors that happen to rise together the interval would be too wide, of two that cancel too narrow. */
function unrelatedOrders(values: readonly number[], random: Random): Orders {
  let best: { readonly orders: Orders; readonly relation: number } | undefined;
  for (let i = 0; i < ordersTried && (best?.relation ?? 1) > 1e-9; i++) {
    const orders: Orders = [
      shuffled(values, random),
      shuffled(values, random),
      shuffled(values, random),
    ];
    const [a, b, c] = orders;
    const relation = Math.max(
      ...[covariance(a, b), covariance(a, c), covariance(b, c)].map(Math.abs),
    );
    if (best === undefined || relation < best.relation) best = { orders, relation };
  }
  if (best === undefined) throw new Error('No order was tried');
  return best.orders;
}

/** Of values whose mean is one half. */
function covariance(a: readonly number[], b: readonly number[]): number {
  return a.reduce((sum, value, i) => sum + (value - 0.5) * ((b[i] as number) - 0.5), 0);
}

function shuffled(values: readonly number[], random: Random): number[] {
  const order = [...values];
  for (let i = order.length - 1; i > 0; i--) {
    const j = randomInteger(random, i + 1);
    [order[i], order[j]] = [order[j] as number, order[i] as number];
  }
  return order;
}

/**
 * Quantile of the standard normal distribution, to 4.5e-4.
 *
 * @see Abramowitz and Stegun, Handbook of Mathematical Functions, 26.2.23
 */
export function normalQuantile(share: number): number {
  const t = Math.sqrt(-2 * Math.log(Math.min(share, 1 - share)));
  const tail =
    t -
    (2.515517 + 0.802853 * t + 0.010328 * t * t) /
      (1 + 1.432788 * t + 0.189269 * t * t + 0.001308 * t ** 3);
  return share < 0.5 ? -tail : tail;
}
