// What the layouts do, by simulation: the planned one, the same with each offload, today's, and what
// one could buy next.
import { seededRandom } from '../../core/base/index.ts';
import { kvBytesPerToken, pointErrors, pointKind } from '../../core/engine/index.ts';
import type { Decision, OffloadKind } from '../../core/plan/index.ts';
import { disagreementOf } from './disagreement.ts';
import { figure, gainHull, gainOf, hull, noSurerThan, share } from './estimates.ts';
import { kvDtypeAdvice, withFp8Kv } from './kv-dtype.ts';
import { modelErrors } from './model-errors.ts';
import type { Estimate, Gain, Impact, Purchase, Scenario } from './plan.ts';
import { assumedLink, type PlayOptions, playLayout } from './play.ts';
import type { Played } from './played.ts';

export interface ImpactOptions {
  /** The planned layout, but for its offload and the seed. */
  readonly base: Omit<PlayOptions, 'kvOffload' | 'offloadGiB' | 'seed' | 'error'>;
  readonly decision: Decision;
  /** Host memory for KV of the layouts that offload, per engine. */
  readonly offloadGiB: number;
  readonly today:
    | { readonly engines: number; readonly kvOffload: OffloadKind; readonly policy: string }
    | undefined;
  /** Routers that the fleet may get instead of the simulated one. */
  readonly alternativeRoutings: readonly string[];
  readonly workingSet: number;
  /** Whether to try prefill and decode on engines of their own. */
  readonly triesApart: boolean;
  /** Host memory that the plan leaves unused: more would change nothing. GiB per engine. */
  readonly spareGiB: number;
  readonly seed: number;
  readonly onProgress?: ((share: number) => void) | undefined;
}

/** Fleets per layout; each has its own traffic and its own error of the engine model. */
const runsPerLayout = 5;
/** More host memory that a plan prices, GiB. */
const moreDramGiB = 64;
/** Rough, not looked up: what clouds ask for memory, about $4 a GiB and month. */
const dollarsPerGibHour = 4 / 730;

/** Simulates all of it; the same options give the same answer. */
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
  const apart = options.triesApart ? bestSplit(none, (wish) => runsOf(wish)) : undefined;
  const overPlan = (better: Layout) => gain('more', better, 'the plan', planned);
  const purchases = purchasesOf(options, planned, overPlan);
  const kvDtype = kvDtypeAdvice(
    base.layout,
    fp8Layout && { layout: fp8Layout, gain: overPlan({ ...planned, kvDtype: 'fp8' }) },
  );
  const predictiveRouting =
    policy === 'kvaware' ? overPlan({ ...planned, policy: 'predictive' }) : undefined;
  onProgress?.(1);
  return {
    planned: byOffload[decision.kvOffload],
    baseline: byOffload.none,
    native: byOffload.native,
    lmcache: byOffload.lmcache,
    today: todayScenario,
    ...{ gains, gainsByRouting },
    ...{ purchases, kvDtype, predictiveRouting },
    apart: apart && {
      prefillEngines: apart.prefillEngines as number,
      link: assumedLink,
      scenario: scenario('prefill and decode apart', apart),
      gain: gain('apart', apart, 'together', none),
    },
    disagreement: disagreementOf(decision, {
      ...{ gains, workingSet: options.workingSet },
      hitRates: {
        none: byOffload.none.hitRate.mean,
        native: byOffload.native.hitRate.mean,
        lmcache: byOffload.lmcache.hitRate.mean,
      },
      hostShareOfSet: hostShareOfSet(options),
    }),
    workingSet: options.workingSet,
    ...{ runs: runsPerLayout, seed },
  };
}

/** Of what is asked for again, the share that the host memory of all engines holds. */
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

/** Shares of the engines that prefill, of which the best is taken. */
const prefillShares = [0.3, 0.5, 0.7];

/** Most good answers, then most tokens; a split that is overloaded only if all are. */
function bestSplit(
  together: Layout,
  runsOf: (wish: Layout) => readonly Played[],
): Layout | undefined {
  const { engines } = together;
  if (engines < 2) return undefined;
  const counts = prefillShares.map((share) =>
    Math.min(engines - 1, Math.max(1, Math.round(engines * share))),
  );
  const tried = [...new Set(counts)].map((prefillEngines) => {
    const wish = { ...together, prefillEngines };
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
  const { today, decision, spareGiB, triesApart, alternativeRoutings } = options;
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
    ...(triesApart ? prefillShares.map(String) : []),
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

/** @param runs Behind each router that may be before the layout, its own first. */
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
    isOverloaded: own.filter(({ isOverloaded }) => isOverloaded).length * 2 > own.length,
    pricePerHour: pricePerHour === undefined ? undefined : pricePerHour * wish.engines,
  };
}

/** What one could add to the plan, each with what it brings. */
function purchasesOf(
  { base, decision, spareGiB }: ImpactOptions,
  planned: Layout,
  gain: (better: Layout) => Gain,
): Purchase[] {
  const { pricePerHour } = base.layout;
  const purchases: Purchase[] = [];
  if (decision.stack === 'production-stack') {
    const better = { ...planned, engines: planned.engines + 1 };
    purchases.push({ what: 'one more engine', gain: gain(better), pricePerHour });
  }
  if (decision.kvOffload !== 'none') {
    // Where the plan leaves memory unused, more of it is the same plan.
    const isUseless = spareGiB >= 1;
    const better = { ...planned, offloadGiB: planned.offloadGiB + moreDramGiB };
    purchases.push({
      what: `${moreDramGiB} GiB more host memory per engine${isUseless ? ` (${Math.floor(spareGiB)} GiB of what there is stay unused)` : ''}`,
      gain: gain(isUseless ? planned : better),
      pricePerHour: dollarsPerGibHour * moreDramGiB * planned.engines,
    });
  }
  if (planned.engines > 1) {
    const isExact = planned.policy === 'kvaware';
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
