// Features that a team may need from a stack, and how the upstream chart provides each.

/**
 * Features beyond engines, router and monitoring, and how the chart provides each; undefined: it does not. From
 * chart 0.1.12 (production-stack at a6c01db0); issue numbers are those of that repository.
 */
export const chartProvides = {
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
