// The schema of the values file: the single source of its types, its checks, values.schema.json and
// docs/reference/values.md. Keys and defaults are those of the upstream production-stack chart
// 0.1.12 (commit a6c01db0), and Spillway's own, which are marked as such.
import { z } from 'zod';
import { servingEngineSpec } from './schema-engine.ts';
import { ignored, kubernetesList, kubernetesObject, ours, upstream } from './schema-keys.ts';
import {
  cacheserverSpec,
  grafanaDashboards,
  kubePrometheusStack,
  loraAdapters,
  loraController,
  prometheusAdapter,
  sharedPvcStorage,
  sharedStorage,
  spillway,
} from './schema-others.ts';
import { routerSpec } from './schema-router.ts';

export const valuesSchema = z.strictObject({
  servingEngineSpec: upstream(servingEngineSpec, 'The engines.'),
  routerSpec: upstream(routerSpec, 'The router.'),
  cacheserverSpec: upstream(cacheserverSpec, 'The shared KV cache server.'),
  loraAdapters: upstream(
    loraAdapters,
    'LoRA adapters. Upstream ships one disabled example, so the list is empty by default.',
  ),
  loraController: upstream(loraController, 'The controller that loads LoRA adapters.'),
  sharedPvcStorage: upstream(sharedPvcStorage, 'A volume that all models share.'),
  extraObjects: upstream(
    kubernetesList.default([]),
    'More Kubernetes objects to deploy with the chart.',
  ),
  grafanaDashboards: upstream(grafanaDashboards, 'Grafana dashboards.'),
  'kube-prometheus-stack': upstream(
    kubePrometheusStack,
    'Values of the kube-prometheus-stack chart.',
  ),
  'prometheus-adapter': upstream(prometheusAdapter, 'Values of the prometheus-adapter chart.'),
  sharedStorage,
  engineStrategy: ignored(kubernetesObject.optional(), 'Use servingEngineSpec.strategy.'),
  routerStrategy: ignored(kubernetesObject.optional(), 'Use routerSpec.strategy.'),
  global: upstream(kubernetesObject.optional(), 'Values that Helm passes to every subchart.'),
  spillway: spillway.meta({
    description:
      'Keys that the upstream chart does not have: how "spillway up" runs on this machine, and the thresholds of "spillway plan".',
    'x-origin': 'spillway',
  }),
  enabled: ours(
    z.boolean().optional(),
    'Chart: of a chart that has this one as a dependency, whether to install it (condition: NAME.enabled).',
  ),
});

/** A validated values file with all defaults. */
export type Values = z.infer<typeof valuesSchema>;
/** One entry of `servingEngineSpec.modelSpec`. */
export type ModelEntry = Values['servingEngineSpec']['modelSpec'][number];

/** What an entry runs under `spillway up`. */
export type EngineKind = NonNullable<ModelEntry['kind']>;

/**
 * Returns the number of engines of an entry: with Ray, its replicas are the workers of one engine.
 */
export function engineCount(entry: Pick<ModelEntry, 'replicaCount' | 'raySpec'>): number {
  return entry.raySpec?.enabled ? 1 : entry.replicaCount;
}

/** Returns the kind of an entry: as written, otherwise url if it has URLs, otherwise embedded. */
export function engineKind(entry: Pick<ModelEntry, 'kind' | 'urls'>): EngineKind {
  return entry.kind ?? (entry.urls === undefined ? 'embedded' : 'url');
}
