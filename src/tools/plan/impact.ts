// Simulates the layouts of a plan: the planned one, each offload, today's deployment, and possible purchases.
import { pointErrors, pointKind } from '../../core/engine/index.ts';
import type { Decision, OffloadKind } from '../../core/plan/index.ts';
import { requiresKvEvents } from '../../core/routing/index.ts';
import { figure, gainHull, gainOf, hull, noSurerThan, share } from './estimates.ts';
import { kvDtypeAdvice, withFp8Kv } from './kv-dtype.ts';
import {
  type Layout,
  type LayoutBase,
  type LayoutRuns,
  layoutWithOffload,
  runsPerLayout,
} from './layout-runs.ts';
import type { Impact, Purchase } from './plan.ts';
import { sharesPrefixes } from './plan-traffic.ts';
import { assumedLink } from './play.ts';
import type { Played } from './played.ts';
import type { Estimate, Gain, Scenario } from './scenario.ts';
import { dollarsPerGibHour } from './transfer.ts';

export interface ImpactOptions {
  readonly runs: LayoutRuns;
  readonly decision: Decision;
  /** Host memory for KV cache of layouts with offload, in GiB per engine. */
  readonly offloadGiB: number;
  readonly today:
    | { readonly engines: number; readonly kvOffload: OffloadKind; readonly policy: string }
    | undefined;
  /** Other possible routers of the fleet. */
  readonly alternativeRoutings: readonly string[];
  readonly workingSet: number;
  /** Whether to try disaggregated prefill. */
  readonly triesDisaggregation: boolean;
  /** Host memory that the plan leaves unused, in GiB per engine. */
  readonly spareGiB: number;
  readonly onProgress?: ((share: number) => void) | undefined;
}

/** Additional host memory that a plan prices, in GiB. */
const moreDramGiB = 64;

/** Runs all simulations. Equal options give equal results. */
export function expectedImpact(options: ImpactOptions): Impact {
  const { decision, offloadGiB, today, onProgress } = options;
  const { base, seed } = options.runs;
  const wishes = layoutsOf(options);
  const begun = new Set<string>();
  const fp8Layout = withFp8Kv(base.layout);
  const runsOf = (wish: Layout): readonly Played[] => {
    onProgress?.(Math.min(1, begun.size / wishes.length));
    begun.add(JSON.stringify(wish));
    return options.runs.of(wish);
  };
  const { engines, policy } = base;
  const routings = [policy, ...options.alternativeRoutings];
  const layout = (kvOffload: OffloadKind) =>
    layoutWithOffload({ engines, policy }, kvOffload, offloadGiB);
  const behind = (wish: Layout) => routings.map((routing) => ({ ...wish, policy: routing }));
  const scenario = (label: string, wish: Layout, layouts: readonly Layout[] = [wish]): Scenario =>
    scenarioOf({ label, wish, runs: layouts.map(runsOf), base });
  const gain = (of: string, better: Layout, over: string, worse: Layout): Gain =>
    gainOf({ name: of, runs: runsOf(better) }, { name: over, runs: runsOf(worse) });
  const planned = layout(decision.kvOffload);
  const none = layout('none');
  const ofKind = (kind: OffloadKind) => scenario(kind, layout(kind), behind(layout(kind)));
  const byOffload = { none: ofKind('none'), native: ofKind('native'), lmcache: ofKind('lmcache') };
  const gainsByRouting = routings.map((routing) => {
    const gainOfTier = (kind: 'native' | 'lmcache') =>
      gain(kind, { ...layout(kind), policy: routing }, 'none', { ...none, policy: routing });
    return { routing, native: gainOfTier('native'), lmcache: gainOfTier('lmcache') };
  });
  const acrossRoutings = (kind: 'native' | 'lmcache') =>
    gainHull(gainsByRouting.map((gains) => gains[kind]) as [Gain, ...Gain[]]);
  const gains = {
    native: acrossRoutings('native'),
    lmcache: acrossRoutings('lmcache'),
    overToday: undefined as Gain | undefined,
  };
  let todayScenario: Scenario | undefined;
  if (today) {
    const wish = todayLayout(today, offloadGiB);
    todayScenario = scenario(todayLabel(today), wish);
    gains.overToday = gain('the plan', planned, 'today', wish);
  }
  const disaggregated = options.triesDisaggregation
    ? bestSplit(none, (wish) => runsOf(wish))
    : undefined;
  const overPlan = (better: Layout) => gain('more', better, 'the plan', planned);
  const purchases = purchasesOf(options, planned, overPlan);
  const kvDtype = kvDtypeAdvice(
    base.layout,
    fp8Layout && { layout: fp8Layout, gain: overPlan({ ...planned, kvDtype: 'fp8' }) },
  );
  const other = otherPolicy(options);
  const otherRouting =
    other === undefined
      ? undefined
      : { policy: other, gain: overPlan({ ...planned, policy: other }) };
  onProgress?.(1);
  return {
    planned: byOffload[decision.kvOffload],
    baseline: byOffload.none,
    native: byOffload.native,
    lmcache: byOffload.lmcache,
    today: todayScenario,
    ...{ gains, gainsByRouting },
    ...{ purchases, kvDtype, otherRouting },
    disaggregated: disaggregated && {
      prefillEngines: disaggregated.prefillEngines as number,
      link: assumedLink,
      scenario: scenario('disaggregated prefill and decode', disaggregated),
      gain: gain('disaggregated', disaggregated, 'aggregated', none),
    },
    workingSet: options.workingSet,
    ...{ runs: runsPerLayout, seed },
  };
}

/** The policy that reads KV events and is not planned. */
function otherPolicy({ runs: { base } }: ImpactOptions): string | undefined {
  if (base.engines === 1 || !sharesPrefixes(base.workload)) return undefined;
  if (requiresKvEvents(base.policy)) return 'predictive';
  return base.policy === 'predictive' ? 'kvaware' : undefined;
}

/** Candidate shares of prefill engines; the best one is used. */
const prefillShares = [0.3, 0.5, 0.7];

/** Picks the split with the highest goodput, then throughput; an overloaded one only if all are. */
function bestSplit(
  aggregated: Layout,
  runsOf: (wish: Layout) => readonly Played[],
): Layout | undefined {
  const { engines } = aggregated;
  if (engines < 2) return undefined;
  const counts = prefillShares.map((share) =>
    Math.min(engines - 1, Math.max(1, Math.round(engines * share))),
  );
  const tried = [...new Set(counts)].map((prefillEngines) => {
    const wish = { ...aggregated, prefillEngines };
    const runs = runsOf(wish);
    const mean = (of: (run: Played) => number) => runs.reduce((sum, run) => sum + of(run), 0);
    const overloaded = runs.filter(({ isOverloaded }) => isOverloaded).length * 2 > runs.length;
    return { wish, overloaded, good: mean((r) => r.goodput), tokens: mean((r) => r.throughput) };
  });
  const [best] = tried.toSorted(
    (a, b) => Number(a.overloaded) - Number(b.overloaded) || b.good - a.good || b.tokens - a.tokens,
  );
  return best?.wish;
}

function layoutsOf(options: ImpactOptions): readonly string[] {
  const { today, decision, spareGiB, triesDisaggregation, alternativeRoutings } = options;
  const offloads = ['none', 'native', 'lmcache'];
  const dram = decision.kvOffload !== 'none' && spareGiB < 1;
  return [
    ...offloads,
    ...alternativeRoutings.flatMap((routing) => offloads.map((kind) => `${kind} ${routing}`)),
    'engine',
    'kv dtype',
    'routing',
    ...(dram ? ['dram'] : []),
    ...(today ? ['today'] : []),
    ...(triesDisaggregation ? prefillShares.map(String) : []),
  ];
}

function todayLayout(
  { engines, kvOffload, policy }: NonNullable<ImpactOptions['today']>,
  offloadGiB: number,
): Layout {
  return { engines, kvOffload, policy, offloadGiB: kvOffload === 'none' ? 0 : offloadGiB };
}

function todayLabel({ engines, kvOffload, policy }: NonNullable<ImpactOptions['today']>): string {
  return `${engines} engines, offload ${kvOffload}, ${policy}`;
}

/** @param runs Runs for each possible router, starting with the planned one. */
function scenarioOf({
  label,
  wish,
  runs: byRouting,
  base,
}: {
  readonly label: string;
  readonly wish: Layout;
  readonly runs: readonly (readonly Played[])[];
  readonly base: LayoutBase;
}): Scenario {
  const { pricePerHour, model } = base.layout;
  const errors = pointErrors[pointKind(model)];
  const asPoints =
    (ofPoints: readonly number[]) =>
    (runs: readonly Played[], pick: (played: Played) => number): Estimate =>
      noSurerThan(figure(runs, pick), ofPoints);
  const [own = []] = byRouting;
  const of = (pick: (played: Played) => number, estimate = figure): Estimate =>
    hull(byRouting.map((runs) => estimate(runs, pick)) as [Estimate, ...Estimate[]]);
  return {
    label,
    ...{ engines: wish.engines, kvOffload: wish.kvOffload, policy: wish.policy },
    throughput: of(({ throughput }) => throughput),
    ttftMs: of(({ ttftMs }) => ttftMs, asPoints(errors.ttft)),
    tpotMs: of(({ tpotMs }) => tpotMs, asPoints(errors.tpot)),
    e2eMs: of(({ e2eMs }) => e2eMs),
    goodput: of(({ goodput }) => goodput, share),
    hitRate: of(({ hitRate }) => hitRate, share),
    kvUseP99: of(({ kvUseP99 }) => kvUseP99, share),
    preemptionsPerMinute: of(({ preemptionsPerMinute }) => preemptionsPerMinute),
    redundantPrefill: of(({ redundantPrefill }) => redundantPrefill, share),
    isOverloaded: own.filter(({ isOverloaded }) => isOverloaded).length * 2 > own.length,
    pricePerHour: pricePerHour === undefined ? undefined : pricePerHour * wish.engines,
  };
}

/** Returns possible additions to the plan with their gains. */
function purchasesOf(
  { runs: { base }, decision, spareGiB }: ImpactOptions,
  planned: Layout,
  gain: (better: Layout) => Gain,
): Purchase[] {
  const { pricePerHour } = base.layout;
  const purchases: Purchase[] = [];
  if (decision.stack !== 'single-engine') {
    const better = { ...planned, engines: planned.engines + 1 };
    purchases.push({ what: 'one more engine', gain: gain(better), pricePerHour });
  }
  if (decision.kvOffload !== 'none') {
    // More memory changes nothing if the plan leaves some unused.
    const isUseless = spareGiB >= 1;
    const better = { ...planned, offloadGiB: planned.offloadGiB + moreDramGiB };
    purchases.push({
      what: `${moreDramGiB} GiB more host memory per engine${isUseless ? ` (${Math.floor(spareGiB)} GiB of what there is stay unused)` : ''}`,
      gain: gain(isUseless ? planned : better),
      pricePerHour: dollarsPerGibHour * moreDramGiB * planned.engines,
    });
  }
  if (planned.engines > 1) {
    const isExact = requiresKvEvents(planned.policy);
    purchases.push({
      what: isExact
        ? 'routing by prediction (predictive) instead of exact routing by KV events'
        : 'exact routing by KV events (kvaware)',
      gain: gain({ ...planned, policy: isExact ? 'predictive' : 'kvaware' }),
      pricePerHour: 0,
    });
  }
  return purchases;
}
