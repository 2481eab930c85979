// Errors of the simulation: one draw from measured errors for each simulated fleet.
import { type Random, shuffled } from '../../core/base/index.ts';
import { pointErrorShares, pointErrors } from '../../core/engine/index.ts';

/** One draw. */
export interface ModelError {
  /** Factor on the rates of accepting and computing prompts. */
  readonly prefillRate: number;
  /** Factor on the rate of generating tokens. */
  readonly decodeRate: number;
  /** Cost of a KV tier: 0 for the newest measured vLLM, 1 for the oldest. */
  readonly tierCost: number;
}

/** No error, and the median cost of a tier. */
export const noModelError: ModelError = { prefillRate: 1, decodeRate: 1, tierCost: 0.5 };

/**
 * Draws `count` errors evenly from their distributions (a Latin hypercube): each kind of error takes each of `count`
 * equally likely values once, in orders that are as uncorrelated as possible. The width of an interval then hardly
 * depends on the seed.
 */
export function modelErrors(
  count: number,
  kind: keyof typeof pointErrors,
  random: Random,
): ModelError[] {
  const middles = Array.from({ length: count }, (_, i) => (i + 0.5) / count);
  const [prefill, decode, tier] = unrelatedOrders(middles, random);
  const { ttft, tpot } = pointErrors[kind];
  // The error of a rate is the inverse of the error of its time.
  return middles.map((_, i) => ({
    prefillRate: 1 / quantile(ttft, prefill[i] as number),
    decodeRate: 1 / quantile(tpot, decode[i] as number),
    tierCost: tier[i] as number,
  }));
}

/** Interpolates a distribution that is known at `pointErrorShares`, clamped to its ends. */
function quantile(values: readonly number[], share: number): number {
  const at = pointErrorShares.findIndex((known) => known >= share * 100);
  if (at <= 0) return (at === 0 ? values[0] : values.at(-1)) as number;
  const [from, to] = [pointErrorShares[at - 1] as number, pointErrorShares[at] as number];
  const [low, high] = [values[at - 1] as number, values[at] as number];
  return low + ((share * 100 - from) / (to - from)) * (high - low);
}

/** Number of orders to try; for five values most searches find nearly uncorrelated ones. */
const ordersTried = 300;

type Orders = readonly [readonly number[], readonly number[], readonly number[]];

/** Returns the least correlated of many orders: correlated errors would make intervals too wide or too narrow. */
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

/** Covariance of values with a mean of one half. */
function covariance(a: readonly number[], b: readonly number[]): number {
  return a.reduce((sum, value, i) => sum + (value - 0.5) * ((b[i] as number) - 0.5), 0);
}
