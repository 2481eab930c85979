// Sizes the fleet: the cheapest one that meets the goals at the peak.
import type { EngineLayout } from './layout.ts';
import { noModelError } from './model-errors.ts';
import { heldTokens, requestsAtRate, secondsPerOutputToken } from './plan-traffic.ts';
import { playLayout } from './play.ts';
import type { Slo } from './played.ts';
import type { PlanWorkload } from './resolve-input.ts';

export interface SizingOptions {
  readonly layouts: readonly EngineLayout[];
  readonly workload: PlanWorkload;
  readonly slo: Slo;
  readonly budgetPerHour: number | undefined;
  readonly hbmUtilization: number;
  /** Number of engines in the input; undefined if the plan chooses. */
  readonly engines: number | undefined;
  readonly seed: number;
}

export interface Sized {
  readonly layout: EngineLayout;
  readonly engines: number;
  /** Reason why the goals are missed, or missed within the budget. */
  readonly shortfall: string | undefined;
}

/** Maximum number of engines that a plan chooses. */
const enginesMax = 64;
/** Minimum share of requests that must meet the goals. */
export const goodputMin = 0.95;
/** Number of requests in one simulation for sizing. */
const looksRequests = 240;

/**
 * Returns the cheapest fleet that meets the goals; if none does within the budget, the closest one and the reason.
 */
export function sizeFleet(options: SizingOptions): Sized {
  const sized = options.layouts.map((layout) => sizeLayout(layout, options));
  const price = ({ layout, engines }: Sized) => (layout.pricePerHour ?? 0) * engines;
  const meeting = sized.filter(({ shortfall }) => shortfall === undefined);
  const among = meeting.length > 0 ? meeting : sized;
  const [cheapest] = among.toSorted((a, b) => price(a) - price(b));
  if (cheapest === undefined) throw new Error('There is no layout to choose from');
  return cheapest;
}

function sizeLayout(layout: EngineLayout, options: SizingOptions): Sized {
  const { budgetPerHour, engines: fixed } = options;
  const affordable =
    budgetPerHour === undefined || layout.pricePerHour === undefined
      ? enginesMax
      : Math.floor(budgetPerHour / layout.pricePerHour);
  if (fixed !== undefined) {
    const over = fixed > affordable;
    return {
      layout,
      engines: fixed,
      shortfall: over ? overBudget(layout, fixed, options) : undefined,
    };
  }
  const meets = (engines: number) => meetsGoals(layout, engines, options);
  let engines = 1;
  while (engines < enginesMax && !meets(engines)) engines = Math.min(enginesMax, engines * 2);
  let [low, high] = [Math.floor(engines / 2) + 1, engines];
  while (low < high) {
    const middle = (low + high) >> 1;
    if (meets(middle)) high = middle;
    else low = middle + 1;
  }
  if (high > affordable) {
    return {
      layout,
      engines: Math.max(1, affordable),
      shortfall: overBudget(layout, high, options),
    };
  }
  return {
    layout,
    engines: high,
    shortfall: meets(high)
      ? undefined
      : `even ${enginesMax} engines on ${layout.gpu.name} do not meet the goals: a single request takes longer`,
  };
}

function overBudget(
  { pricePerHour = 0, gpu }: EngineLayout,
  engines: number,
  { budgetPerHour = 0 }: SizingOptions,
): string {
  return `${engines} engines on ${gpu.name} cost $${(pricePerHour * engines).toFixed(2)} per hour, over the budget of $${budgetPerHour.toFixed(2)}`;
}

function meetsGoals(layout: EngineLayout, engines: number, options: SizingOptions): boolean {
  const { workload, slo, hbmUtilization, seed } = options;
  const clients = workload.concurrency;
  if (clients !== undefined) {
    const held = heldTokens(workload, clients) / (layout.kvTokens * engines);
    if (held > hbmUtilization) return false;
  }
  const played = playLayout({
    ...{ layout, engines, workload, clients, slo, seed },
    ...{ kvOffload: 'none', offloadGiB: 0, policy: engines > 1 ? 'predictive' : 'roundrobin' },
    requests: Math.max(looksRequests, 2 * (clients ?? 0), requestsAtRate(workload)),
    e2eSeconds: workload.outputTokens.mean * secondsPerOutputToken,
    error: noModelError,
  });
  return !played.isOverloaded && played.goodput >= goodputMin;
}
