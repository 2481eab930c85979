// Features that a team may need from a stack: whether the upstream chart has them, and where.
import type { PlanFacts } from './facts.ts';
import { chartProvides, type StackNeed } from './stack-needs.ts';

/** Returns the requested features that the chart lacks. */
export function chartLacks({ needs }: Pick<PlanFacts, 'needs'>): readonly StackNeed[] {
  return needs.filter((need) => chartProvides[need] === undefined);
}

/** Lists what was requested and the chart has, each with the keys that provide it. */
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
      const by = chartProvides[need];
      return by === undefined ? [] : [`${need} (${by})`];
    }),
  ];
}
