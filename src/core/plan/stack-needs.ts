// Features that a team may need from a stack, and how the charts that take a plan's values file provide each.

/** How a chart provides a feature; undefined: it does not. */
export interface ChartProvides {
  /** The chart of this repository, with Spillway's router. */
  readonly spillway?: string;
  /** Upstream's chart 0.1.12 (production-stack at a6c01db0) with its router; issue numbers are those of that repository. */
  readonly upstream?: string;
}

/** Features beyond engines, router and monitoring. */
export const chartProvides = {
  autoscaling: {
    spillway: 'keda of each model, an HPA of the router',
    upstream: 'keda of each model, an HPA of the router',
  },
  'external-providers': { upstream: '--external-providers-config in routerSpec.extraArgs' },
  'gateway-api': { spillway: 'routerSpec.route', upstream: 'routerSpec.route' },
  'disaggregated-prefill': {
    spillway: 'routerSpec.routingLogic disaggregated_prefill_orchestrated',
    upstream: 'routingLogic disaggregated_prefill',
  },
  'semantic-cache': { upstream: '--feature-gates SemanticCache in routerSpec.extraArgs' },
  tracing: { spillway: 'routerSpec.otel', upstream: 'routerSpec.otel' },
  // Either router has one API key for all clients (issue 759).
  'tenant-keys': {},
  // Upstream has no admission control (issues 626 and 876); Spillway's queue bounds load, not what a client may send.
  'rate-limits': {},
  priorities: { spillway: 'routerSpec.admission' },
  // Upstream's router stops with --enable-batch-api, and its processor is a stub (issue 766).
  'batch-api': {},
  // Upstream's router answers 404 for a model without pods (issue 945).
  'scale-to-zero': { spillway: 'keda.minReplicaCount 0 with routerSpec.admission.holdTimeout' },
  // Discovery covers one cluster.
  'several-clusters': {},
  // No policy of either router sends a request twice for comparison.
  'shadow-traffic': {},
} as const satisfies Readonly<Record<string, ChartProvides>>;

export type StackNeed = keyof typeof chartProvides;

export const stackNeeds = Object.keys(chartProvides) as [StackNeed, ...StackNeed[]];
