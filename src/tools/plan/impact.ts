// Simulates the layouts of a plan: the planned one, each offload, today's deployment, and possible purchases.
import { seededRandom } from '../../core/base/index.ts';
import { kvBytesPerToken, pointErrors, pointKind } from '../../core/engine/index.ts';
import type { Decision, OffloadKind } from '../../core/plan/index.ts';
import { requiresKvEvents } from '../../core/routing/index.ts';
import { adviceOn } from './advice.ts';
import { figure, gainHull, gainOf, hull, noSurerThan, share } from './estimates.ts';
import { kvDtypeAdvice, withFp8Kv } from './kv-dtype.ts';
import { modelErrors } from './model-errors.ts';
import type { Impact, Purchase } from './plan.ts';
import { sharesPrefixes } from './plan-traffic.ts';
import { assumedLink, type PlayOptions, playLayout } from './play.ts';
import type { Played } from './played.ts';
import type { Estimate, Gain, Scenario } from './scenario.ts';
import { dollarsPerGibHour } from './transfer.ts';

export interface ImpactOptions {
  /** The planned layout without its offload and seed. */
  readonly base: Omit<PlayOptions, 'kvOffload' | 'offloadGiB' | 'seed' | 'error'>;
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
  readonly seed: number;
  readonly onProgress?: ((share: number) => void) | undefined;
}

/** Number of simulated fleets per layout, each with its own traffic and error of the engine model. */
const runsPerLayout = 5;
/** Additional host memory that a plan prices, in GiB. */
const moreDramGiB = 64;

/** Runs all simulations. Equal options give equal results. */
export function expectedImpact(options: ImpactOptions): Impact {
  const { base, decision, offloadGiB, today, seed, onProgress } = options;
  const wishes = layoutsOf(options);
  const errors = modelErrors(runsPerLayout, pointKind(base.layout.model), seededRandom(seed));
  let played = 0;
  const fp8Layout = withFp8Kv(base.layout);
  const runs = new Map<string, readonly Played[]>();
  const runsOf = (wish: Layout): readonly Played[] => {
    const key = JSON.stringify(wish);
    const known = runs.get(key);
    if (known) return known;
    const made = errors.map((error, i) => {
      onProgress?.(played++ / (wishes.length * runsPerLayout));
      const { kvDtype, ...settings } = wish;
      const layout = (kvDtype === 'fp8' && fp8Layout) || base.layout;
      return playLayout({ ...base, ...settings, layout, error, seed: seed * 1000 + i });
    });
    runs.set(key, made);
    return made;
  };
  const { engines, policy } = base;
  const routings = [policy, ...options.alternativeRoutings];
  const layout = (kvOffload: OffloadKind): Layout => ({
    ...{ engines, policy, kvOffload },
    offloadGiB: kvOffload === 'none' ? 0 : offloadGiB,
  });
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
    advice: adviceOn(decision, {
      ...{ gains, scenarios: byOffload, workingSet: options.workingSet },
      overPlan: {
        none: overPlan(none),
        native: overPlan(layout('native')),
        lmcache: overPlan(layout('lmcache')),
      },
      offloadGiB: planned.offloadGiB,
      hostShareOfSet: hostShareOfSet(options),
    }),
    workingSet: options.workingSet,
    ...{ runs: runsPerLayout, seed },
  };
}

/** The policy that reads KV events and is not planned. */
function otherPolicy({ base }: ImpactOptions): string | undefined {
  if (base.engines === 1 || !sharesPrefixes(base.workload)) return undefined;
  if (requiresKvEvents(base.policy)) return 'predictive';
  return base.policy === 'predictive' ? 'kvaware' : undefined;
}

/** Returns the share of the working set that fits in the host memory of all engines. */
function hostShareOfSet({ base, offloadGiB, workingSet }: ImpactOptions): number {
  const { kvTokens, model } = base.layout;
  const setGiB = (workingSet * kvTokens * kvBytesPerToken(model)) / 2 ** 30;
  return setGiB > 0 ? Math.min(1, offloadGiB / setGiB) : 1;
}

interface Layout {
  readonly engines: number;
  readonly kvOffload: OffloadKind;
  readonly offloadGiB: number;
  readonly policy: string;
  readonly kvDtype?: 'fp8' | undefined;
  readonly prefillEngines?: number | undefined;
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
  readonly base: ImpactOptions['base'];
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
  { base, decision, spareGiB }: ImpactOptions,
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
