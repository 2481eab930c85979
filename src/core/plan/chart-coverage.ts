// Features that a team may need from a stack: whether the upstream chart has them, and where.
import type { PlanFacts } from './facts.ts';

/**
 * Features beyond engines, router and monitoring, and how the chart provides each; undefined: it does not. From
 * chart 0.1.12 (production-stack at a6c01db0); issue numbers are those of that repository.
 */
const chartProvides = {
  autoscaling: 'keda of each model, an HPA of the router',
  'external-providers': '--external-providers-config in routerSpec.extraArgs',
  'gateway-api': 'routerSpec.route',
  'disaggregated-prefill': 'routingLogic disaggregated_prefill',
  'semantic-cache': '--feature-gates SemanticCache in routerSpec.extraArgs',
  tracing: 'routerSpec.otel',
  // One API key for all clients (issue 759).
  'tenant-keys': undefined,
  // No admission control, queue or limit in the router (issues 626 and 876).
  'rate-limits': undefined,
  priorities: undefined,
  // The router stops with --enable-batch-api, and its processor is a stub (issue 766).
  'batch-api': undefined,
  // The router answers 404 for a model without pods (issue 945).
  'scale-to-zero': undefined,
  // Discovery covers one namespace of one cluster.
  'several-clusters': undefined,
  // No policy of the router sends a request twice.
  'shadow-traffic': undefined,
} as const;

export type StackNeed = keyof typeof chartProvides;
export const stackNeeds = Object.keys(chartProvides) as [StackNeed, ...StackNeed[]];

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
