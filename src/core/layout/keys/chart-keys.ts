// Keys of the values file that the chart's templates do not read, each with the reason. Lists are written `modelSpec[]`.

/** Keys without effect on Kubernetes. */
export const vainChartKeys: Readonly<Record<string, string>> = {
  'routerSpec.host': 'a pod listens on all its addresses',
  'routerSpec.disaggregation': 'it is for simulations',
  'servingEngineSpec.modelSpec[].kvTiers': 'it is for simulations',
  'cacheserverSpec.capacityGB': 'it is for simulations',
  'cacheserverSpec.linkGbps': 'it is for simulations',
  'cacheserverSpec.lookupMs': 'it is for simulations',
  'cacheserverSpec.byteShare': 'it is for embedded engines',
  'cacheserverSpec.objectStore': 'it is for simulations',
  'spillway.bareMetal': 'it is for spillway deploy --target bare-metal',
  'spillway.enginePort':
    'it is for spillway up; servingEngineSpec.containerPort is the port of engines',
  'spillway.engineProcesses': 'each engine is a pod',
  'spillway.vllmCommand': 'it is for spillway up',
  'spillway.observability.prometheusPort': 'it is for spillway up',
  'spillway.observability.prometheusCommand': 'it is for spillway up',
  'spillway.observability.prometheusDirectory': 'it is for spillway up',
  'spillway.observability.prometheusRules': 'it is for spillway up',
  'spillway.observability.scrapeSeconds':
    'it is for spillway up; serviceMonitor.interval is for the chart',
  'spillway.thresholds': 'it is for spillway plan',
  'loraAdapters[].loraAdapterDeploymentConfig.labels':
    "a LoraAdapter has no such field; upstream's chart ignores it too",
};

/** Keys that others read. */
export const subchartKeys: Readonly<Record<string, string>> = {
  'kube-prometheus-stack': 'the subchart reads it',
  'prometheus-adapter': 'the subchart reads it',
  global: 'subcharts and extraObjects read it',
};
