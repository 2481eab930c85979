// Sizes the fleet: the cheapest one whose goodput meets the objective at the peak.
import { roundPercent } from '../report/index.ts';
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
  /** Returns the figures that the plan of this fleet prints. */
  readonly figuresOf: (layout: EngineLayout, engines: number) => SizingFigures;
}

export interface SizingFigures {
  /** Mean share of the requests that meet all goals, over the runs of the planned layout. */
  readonly goodput: number;
  readonly isOverloaded: boolean;
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
/** Of fleets that miss the goals, the smallest is taken whose goodput is at most this much below the best. */
const goodputTie = 0.01;
/** Number of requests in one simulation for an estimate. */
const looksRequests = 240;

/**
 * Returns the cheapest fleet that meets the goals; if none does within the budget, the closest one and the reason. One
 * simulated fleet per size finds about the number of engines. The figures of the plan itself then decide.
 */
export function sizeFleet(options: SizingOptions): Sized {
  if (options.engines !== undefined && options.layouts.length === 1) {
    return withBudget(options.layouts[0] as EngineLayout, options.engines, options);
  }
  const estimates = options.layouts
    .map((layout) => ({ layout, ...estimatedSize(layout, options) }))
    .toSorted((a, b) => Number(b.meets) - Number(a.meets) || priceOf(a) - priceOf(b));
  let best: Sized | undefined;
  for (const estimate of estimates) {
    if (best !== undefined && best.shortfall === undefined) {
      if (!estimate.meets || priceOf(estimate) >= priceOf(best)) continue;
    }
    const sized = sizeLayout(estimate.layout, estimate, options);
    if (best === undefined || isBetter(sized, best, options)) best = sized;
  }
  if (best === undefined) throw new Error('There is no layout to choose from');
  return best;
}

function priceOf({ layout, engines }: Pick<Sized, 'layout' | 'engines'>): number {
  return (layout.pricePerHour ?? 0) * engines;
}

/** A fleet without shortfall beats one with; of two without, the cheaper one, of two with, the one with more goodput. */
function isBetter(one: Sized, other: Sized, { figuresOf }: SizingOptions): boolean {
  if ((one.shortfall === undefined) !== (other.shortfall === undefined))
    return one.shortfall === undefined;
  if (one.shortfall === undefined) return priceOf(one) < priceOf(other);
  const goodput = ({ layout, engines }: Sized) => figuresOf(layout, engines).goodput;
  return goodput(one) > goodput(other) + goodputTie;
}

function withBudget(layout: EngineLayout, engines: number, options: SizingOptions): Sized {
  const over = engines > affordableOf(layout, options);
  return { layout, engines, shortfall: over ? overBudget(layout, engines, options) : undefined };
}

function affordableOf({ pricePerHour }: EngineLayout, { budgetPerHour }: SizingOptions): number {
  if (budgetPerHour === undefined || pricePerHour === undefined) return enginesMax;
  return Math.floor(budgetPerHour / pricePerHour);
}

/** Finds the fewest engines whose figures meet the goals, from an estimate. */
function sizeLayout(
  layout: EngineLayout,
  estimate: { readonly engines: number; readonly meets: boolean },
  options: SizingOptions,
): Sized {
  const meets = (engines: number) =>
    fitsHbm(layout, engines, options) && meetsGoals(options.figuresOf(layout, engines));
  if (options.engines !== undefined) {
    const sized = withBudget(layout, options.engines, options);
    const missed = sized.shortfall === undefined && !meets(options.engines);
    return missed ? { ...sized, shortfall: missedText(layout, options.engines, options) } : sized;
  }
  const fewest = estimate.meets ? fewestMeeting(estimate.engines, meets) : undefined;
  if (fewest === undefined) {
    const engines = Math.min(estimate.engines, Math.max(1, affordableOf(layout, options)));
    return { layout, engines, shortfall: missedText(layout, engines, options) };
  }
  const affordable = affordableOf(layout, options);
  if (fewest <= affordable) return { layout, engines: fewest, shortfall: undefined };
  return {
    ...{ layout, engines: Math.max(1, affordable) },
    shortfall: overBudget(layout, fewest, options),
  };
}

/** Steps away from an estimate, further each time, until one size meets the goals and the next smaller one does not. */
function fewestMeeting(estimate: number, meets: (engines: number) => boolean): number | undefined {
  let [failing, meeting] = [0, enginesMax + 1];
  let engines = estimate;
  for (let step = 1; meeting - failing > 1; step *= 2) {
    if (meets(engines)) meeting = engines;
    else failing = engines;
    const isBetween = failing > 0 && meeting <= enginesMax;
    const next = meeting <= enginesMax ? meeting - step : failing + step;
    const middle = (failing + meeting) >> 1;
    engines = isBetween ? middle : Math.min(enginesMax, Math.max(failing + 1, next));
  }
  return meeting <= enginesMax ? meeting : undefined;
}

function overBudget(
  { pricePerHour = 0, gpu }: EngineLayout,
  engines: number,
  { budgetPerHour = 0 }: SizingOptions,
): string {
  return `${engines} engines on ${gpu.name} cost $${(pricePerHour * engines).toFixed(2)} per hour, over the budget of $${budgetPerHour.toFixed(2)}`;
}

function missedText(layout: EngineLayout, engines: number, options: SizingOptions): string {
  const { goodput, isOverloaded } = options.figuresOf(layout, engines);
  const tried =
    options.engines === undefined
      ? `no number of engines up to ${enginesMax} on ${layout.gpu.name}`
      : `no GPU of the catalogue with ${engines} engines`;
  if (!fitsHbm(layout, engines, options)) {
    return `${tried} keeps the KV cache of the peak below ${roundPercent(options.hbmUtilization)} of HBM's; more GPUs per engine (fleet.gpusPerEngine) or larger ones are needed`;
  }
  if (isOverloaded) {
    return `${tried} serves the requests as fast as they arrive; a faster GPU or more GPUs per engine (fleet.gpusPerEngine) are needed`;
  }
  return (
    `${tried} meets the goals: this is the best fleet found, in which ${roundPercent(goodput)} of the requests meet them, ` +
    `not ${roundPercent(goodputMin)}; a faster GPU, more GPUs per engine (fleet.gpusPerEngine) or other goals are needed`
  );
}

function meetsGoals({ goodput, isOverloaded }: SizingFigures): boolean {
  return !isOverloaded && goodput >= goodputMin;
}

/** Whether the KV cache of the requests in flight fits below the threshold of the alert. */
function fitsHbm(
  { kvTokens }: EngineLayout,
  engines: number,
  { workload, hbmUtilization }: SizingOptions,
): boolean {
  const clients = workload.concurrency;
  if (clients === undefined) return true;
  return heldTokens(workload, clients) / (kvTokens * engines) <= hbmUtilization;
}

/** Estimates the number of engines by one fleet per size; without one that meets the goals, the best one. */
function estimatedSize(
  layout: EngineLayout,
  options: SizingOptions,
): { readonly engines: number; readonly meets: boolean } {
  const found = new Map<number, SizingFigures>();
  const meets = (engines: number): boolean => {
    if (!fitsHbm(layout, engines, options)) return false;
    const figures = found.get(engines) ?? estimatedFigures(layout, engines, options);
    found.set(engines, figures);
    return meetsGoals(figures);
  };
  if (options.engines !== undefined) {
    return { engines: options.engines, meets: meets(options.engines) };
  }
  let engines = 1;
  while (engines < enginesMax && !meets(engines)) engines = Math.min(enginesMax, engines * 2);
  if (!meets(engines)) {
    const best = Math.max(...[...found.values()].map(({ goodput }) => goodput), 0);
    const [smallest = enginesMax] = [...found]
      .filter(([, { goodput, isOverloaded }]) => !isOverloaded && goodput >= best - goodputTie)
      .map(([size]) => size)
      .toSorted((a, b) => a - b);
    return { engines: smallest, meets: false };
  }
  let [low, high] = [Math.floor(engines / 2) + 1, engines];
  while (low < high) {
    const middle = (low + high) >> 1;
    if (meets(middle)) high = middle;
    else low = middle + 1;
  }
  return { engines: high, meets: true };
}

function estimatedFigures(
  layout: EngineLayout,
  engines: number,
  { workload, slo, seed }: SizingOptions,
): SizingFigures {
  const clients = workload.concurrency;
  return playLayout({
    ...{ layout, engines, workload, clients, slo, seed },
    ...{ kvOffload: 'none', offloadGiB: 0, policy: engines > 1 ? 'predictive' : 'roundrobin' },
    requests: Math.max(looksRequests, 2 * (clients ?? 0), requestsAtRate(workload)),
    e2eSeconds: workload.outputTokens.mean * secondsPerOutputToken,
    error: noModelError,
  });
}
