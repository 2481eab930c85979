// How wrong the simulation may be: one draw for each simulated fleet, from errors that were measured.
import { type Random, randomInteger } from '../../core/base/index.ts';
import { pointErrorShares, pointErrors } from '../../core/engine/index.ts';

/** One draw. */
export interface ModelError {
  /** Factor on the rates at which prompts are taken in and computed. */
  readonly prefillRate: number;
  /** Factor on the rates at which tokens are generated. */
  readonly decodeRate: number;
  /** What a KV tier costs: 0 as in the newest vLLM that was measured, 1 as in the oldest. */
  readonly tierCost: number;
}

/** The model as it is; a tier costs what half of the measured ones do. */
export const noModelError: ModelError = { prefillRate: 1, decodeRate: 1, tierCost: 0.5 };

/**
 * `count` errors that spread over their distributions evenly (a Latin hypercube): each error takes each
 * of `count` equally likely values once, in orders that have as little as can be to do with each other.
 * A few runs then tell the width of the interval, whatever the seed.
 */
export function modelErrors(
  count: number,
  kind: keyof typeof pointErrors,
  random: Random,
): ModelError[] {
  const middles = Array.from({ length: count }, (_, i) => (i + 0.5) / count);
  const [prefill, decode, tier] = unrelatedOrders(middles, random);
  const { ttft, tpot } = pointErrors[kind];
  // A rate is as much too low as its time is too long.
  return middles.map((_, i) => ({
    prefillRate: 1 / quantile(ttft, prefill[i] as number),
    decodeRate: 1 / quantile(tpot, decode[i] as number),
    tierCost: tier[i] as number,
  }));
}

/** Of a distribution known at `pointErrorShares`: straight between them, and no further than the outermost. */
function quantile(values: readonly number[], share: number): number {
  const at = pointErrorShares.findIndex((known) => known >= share * 100);
  if (at <= 0) return (at === 0 ? values[0] : values.at(-1)) as number;
  const [from, to] = [pointErrorShares[at - 1] as number, pointErrorShares[at] as number];
  const [low, high] = [values[at - 1] as number, values[at] as number];
  return low + ((share * 100 - from) / (to - from)) * (high - low);
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
