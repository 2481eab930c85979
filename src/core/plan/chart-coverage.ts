// Features that a team may need from a stack: which of the two charts has them, and where.
import type { PlanFacts } from './facts.ts';
import { type ChartProvides, chartProvides, type StackNeed } from './stack-needs.ts';

/** The charts that take a plan's values file. */
export type Chart = keyof ChartProvides;

/** Display names of the charts. */
export const chartNames = { spillway: "Spillway's chart", upstream: "upstream's chart" } as const;

/** Returns the charts that have every requested feature. */
export function chartsWithAll({ needs }: Pick<PlanFacts, 'needs'>): readonly Chart[] {
  return (['spillway', 'upstream'] as const).filter((chart) => lackedBy(chart, needs).length === 0);
}

/** Returns the requested features that keep both charts from covering the request; none if one of them has all. */
export function chartLacks(facts: Pick<PlanFacts, 'needs'>): readonly StackNeed[] {
  if (chartsWithAll(facts).length > 0) return [];
  const nowhere = facts.needs.filter((need) =>
    (['spillway', 'upstream'] as const).every((chart) => provided(chart, need) === undefined),
  );
  return nowhere.length > 0 ? nowhere : lackedBy('spillway', facts.needs);
}

/** Says what is missing, without a full stop: in both charts, or in each of them something else. */
export function chartLacksText({ needs }: Pick<PlanFacts, 'needs'>): string {
  const [ours, theirs] = [lackedBy('spillway', needs), lackedBy('upstream', needs)];
  const nowhere = ours.filter((need) => theirs.includes(need));
  if (nowhere.length > 0) return `the chart has no ${nowhere.join(', ')}`;
  return `${chartNames.spillway} has no ${ours.join(', ')}, and ${chartNames.upstream} no ${theirs.join(', ')}`;
}

/** Lists what was requested and a chart has, each with the keys that provide it. */
export function chartCovers(
  facts: Pick<PlanFacts, 'needs' | 'engines' | 'loraAdapters' | 'wants'>,
): readonly string[] {
  const { needs, engines, loraAdapters, wants } = facts;
  return [
    engines === 1 ? 'an engine (modelSpec)' : `${engines} engines (modelSpec)`,
    'a router (routerSpec)',
    'monitoring (serviceMonitor, grafanaDashboards)',
    ...(wants.kvOffload === 'lmcache' ? ['LMCache (lmcacheConfig, cacheserverSpec)'] : []),
    ...(wants.kvOffload === 'native' ? ['native offload (extraArgs)'] : []),
    ...(loraAdapters > 0 ? ['LoRA adapters (loraAdapters)'] : []),
    ...needs.flatMap((need) => {
      const [ours, theirs] = [provided('spillway', need), provided('upstream', need)];
      if (ours !== undefined) {
        return [`${need} (${ours}${theirs === undefined ? `; ${chartNames.spillway} only` : ''})`];
      }
      return theirs === undefined ? [] : [`${need} (${theirs}; ${chartNames.upstream} only)`];
    }),
  ];
}

function lackedBy(chart: Chart, needs: readonly StackNeed[]): readonly StackNeed[] {
  return needs.filter((need) => provided(chart, need) === undefined);
}

function provided(chart: Chart, need: StackNeed): string | undefined {
  const provides: ChartProvides = chartProvides[need];
  return provides[chart];
}
