// Keys of the values file outside modelSpec. Together with those of an entry and the parameters
// that routing policies declare, which all have an effect, they are all keys of the schema; a test
// compares them.
import { missing, none, used } from '../setting.ts';
import { kubernetes, monitoring, rows, type StackKeyEffects } from './key-effects.ts';

const both: StackKeyEffects = { up: used, simulate: used };
const inPods: StackKeyEffects = { up: kubernetes, simulate: kubernetes };
const noServer = none('a simulation has no HTTP server');
const onlyUp: StackKeyEffects = { up: used, simulate: noServer };
const knownEngines = none('spillway up passes the engines that it starts to the router');
const discovery = { up: knownEngines, simulate: knownEngines };
const controller: StackKeyEffects = {
  up: used,
  simulate: none('a simulation has no LMCache controller'),
};
const emulatedLink = {
  up: missing('embedded engines have spillway.link in kv_connector_extra_config'),
  simulate: used,
};
const objectStore = {
  up: missing('the cache server of spillway up has memory only'),
  simulate: used,
};
const noLoras = {
  up: missing('adapters are loaded by --lora-modules in extraArgs'),
  simulate: missing('the overhead of adapters is not modelled'),
};
const plansOnly = none('it is for spillway plan');
const hostsOnly = none('it is for spillway deploy --target bare-metal');

/** Keys by path; a path stands for all keys below it without a row of their own. */
export const stackKeys: Readonly<Record<string, StackKeyEffects>> = {
  ...rows(both, [
    'servingEngineSpec.enableEngine',
    'servingEngineSpec.env',
    'servingEngineSpec.configs',
  ]),
  'servingEngineSpec.vllmApiKey': onlyUp,
  'servingEngineSpec.containerPort': {
    up: none('spillway.enginePort sets the ports of engines'),
    simulate: noServer,
  },
  ...rows(onlyUp, [
    'servingEngineSpec.startupProbe.initialDelaySeconds',
    'servingEngineSpec.startupProbe.periodSeconds',
    'servingEngineSpec.startupProbe.failureThreshold',
  ]),
  ...rows(inPods, [
    'servingEngineSpec.startupProbe',
    'servingEngineSpec.labels',
    'servingEngineSpec.extraPorts',
    'servingEngineSpec.servicePort',
    'servingEngineSpec.strategy',
    'servingEngineSpec.livenessProbe',
    'servingEngineSpec.readinessProbe',
    'servingEngineSpec.tolerations',
    'servingEngineSpec.runtimeClassName',
    'servingEngineSpec.schedulerName',
    'servingEngineSpec.imagePullPolicy',
    'servingEngineSpec.securityContext',
    'servingEngineSpec.containerSecurityContext',
    'servingEngineSpec.sidecar',
    'servingEngineSpec.restricted',
    'servingEngineSpec.drainSeconds',
    'servingEngineSpec.topologySpreadConstraints',
  ]),
  ...rows({ up: monitoring, simulate: monitoring }, [
    'servingEngineSpec.serviceMonitor',
    'routerSpec.serviceMonitor',
    'grafanaDashboards',
    'kube-prometheus-stack',
    'prometheus-adapter',
  ]),
  ...rows(both, [
    'routerSpec.enableRouter',
    'routerSpec.routingLogic',
    'spillway.routingLogic',
    'routerSpec.sessionKey',
    'routerSpec.routerPeers',
    'routerSpec.extraArgs',
    'routerSpec.admission.queueTimeout',
    'routerSpec.admission.maxQueuedRequests',
    'routerSpec.admission.saturationWait',
  ]),
  ...rows(onlyUp, [
    'routerSpec.admission.holdTimeout',
    'routerSpec.host',
    'routerSpec.containerPort',
    'routerSpec.rootPath',
    'routerSpec.requestStatsWindow',
    'routerSpec.drainDelay',
    'routerSpec.migration',
    'routerSpec.slowStart',
    'routerSpec.timeouts.connect',
    'routerSpec.timeouts.firstByte',
    'routerSpec.timeouts.streamIdle',
    'routerSpec.timeouts.engineStall',
    'routerSpec.timeouts.engineWait',
    'routerSpec.timeouts.request',
    'routerSpec.timeouts.sseKeepAlive',
    'routerSpec.tls.cert',
    'routerSpec.tls.key',
    'routerSpec.tls.clientCa',
    'routerSpec.engineTls.ca',
    'routerSpec.engineTls.cert',
    'routerSpec.engineTls.key',
    'routerSpec.engineTls.serverName',
    'routerSpec.tokenizer',
    'routerSpec.engineTokenizeTimeout',
  ]),
  'routerSpec.hedging.budget': {
    up: used,
    simulate: missing('a simulation of a values file does not hedge requests'),
  },
  'routerSpec.replicaCount': { up: missing('spillway up runs one router'), simulate: used },
  'routerSpec.engineScrapeInterval': {
    up: none('engines are scraped every second'),
    simulate: noServer,
  },
  ...rows(discovery, [
    'routerSpec.serviceDiscovery',
    'routerSpec.k8sServiceDiscoveryType',
    'routerSpec.staticBackends',
    'routerSpec.staticModels',
  ]),
  ...rows(both, [
    'routerSpec.disaggregation.prefillPolicy',
    'routerSpec.disaggregation.decodePolicy',
    'routerSpec.disaggregation.remotePrefillTokensMin',
  ]),
  ...rows(emulatedLink, [
    'routerSpec.disaggregation.link',
    'routerSpec.disaggregation.linkLatencyMs',
  ]),
  'routerSpec.lmcacheConfig': {
    up: none('the log level of the router is --log-level'),
    simulate: none('a simulation has no LMCache controller'),
  },
  ...rows(controller, [
    'routerSpec.lmcacheControllerPort',
    'routerSpec.lmcacheControllerReplyPort',
    'routerSpec.lmcacheControllerHeartbeatPort',
  ]),
  ...rows(onlyUp, [
    'routerSpec.otel.endpoint',
    'routerSpec.otel.serviceName',
    'routerSpec.otel.secure',
  ]),
  'routerSpec.hf_token': {
    up: missing('the router takes HF_TOKEN from the environment of spillway up'),
    simulate: noServer,
  },
  'routerSpec.vllmApiKey': {
    up: missing('the router uses servingEngineSpec.vllmApiKey'),
    simulate: noServer,
  },
  'routerSpec.apiKey': {
    up: missing('the router takes SPILLWAY_ROUTER_API_KEY from the environment of spillway up'),
    simulate: noServer,
  },
  'routerSpec.env': {
    up: missing('the router has the environment of spillway up'),
    simulate: noServer,
  },
  ...rows(inPods, [
    'routerSpec.servicePort',
    'routerSpec.repository',
    'routerSpec.tag',
    'routerSpec.digest',
    'routerSpec.peersKey',
    'routerSpec.drainSeconds',
    'routerSpec.topologySpreadConstraints',
    'routerSpec.nodeSelector',
    'routerSpec.imagePullPolicy',
    'routerSpec.imagePullSecrets',
    'routerSpec.serviceAccountName',
    'routerSpec.extraPorts',
    'routerSpec.extraVolumes',
    'routerSpec.extraVolumeMounts',
    'routerSpec.securityContext',
    'routerSpec.containerSecurityContext',
    'routerSpec.autoscaling',
    'routerSpec.pdb',
    'routerSpec.priorityClassName',
    'routerSpec.serviceType',
    'routerSpec.serviceAnnotations',
    'routerSpec.nodePort',
    'routerSpec.strategy',
    'routerSpec.resources',
    'routerSpec.labels',
    'routerSpec.podAnnotations',
    'routerSpec.ingress',
    'routerSpec.route',
    'routerSpec.affinity',
    'routerSpec.nodeSelectorTerms',
    'routerSpec.livenessProbe',
    'routerSpec.startupProbe',
    'routerSpec.readinessProbe',
  ]),
  ...rows(both, [
    'cacheserverSpec.enabled',
    'cacheserverSpec.capacityGB',
    'cacheserverSpec.linkGbps',
    'cacheserverSpec.lookupMs',
    'cacheserverSpec.eviction',
  ]),
  'cacheserverSpec.byteShare': { up: used, simulate: none('a simulation moves no bytes') },
  'cacheserverSpec.replicaCount': {
    up: missing('spillway up runs one cache server'),
    simulate: kubernetes,
  },
  'cacheserverSpec.serde': {
    up: none('embedded engines send the bytes of a chunk as they are'),
    simulate: none('a simulation moves no bytes'),
  },
  ...rows(objectStore, [
    'cacheserverSpec.objectStore.enabled',
    'cacheserverSpec.objectStore.capacityGB',
    'cacheserverSpec.objectStore.latencyMs',
    'cacheserverSpec.objectStore.requestMBps',
    'cacheserverSpec.objectStore.connections',
    'cacheserverSpec.objectStore.linkGbps',
  ]),
  ...rows(inPods, [
    'cacheserverSpec.image',
    'cacheserverSpec.imagePullPolicy',
    'cacheserverSpec.memory',
    'cacheserverSpec.extraArgs',
    'cacheserverSpec.imagePullSecrets',
    'cacheserverSpec.containerPort',
    'cacheserverSpec.serviceType',
    'cacheserverSpec.servicePort',
    'cacheserverSpec.serviceAnnotations',
    'cacheserverSpec.resources',
    'cacheserverSpec.annotations',
    'cacheserverSpec.labels',
    'cacheserverSpec.strategy',
    'cacheserverSpec.livenessProbe',
    'cacheserverSpec.tolerations',
    'cacheserverSpec.runtimeClassName',
    'cacheserverSpec.schedulerName',
    'cacheserverSpec.securityContext',
    'cacheserverSpec.containerSecurityContext',
    'cacheserverSpec.priorityClassName',
    'cacheserverSpec.nodeSelector',
    'cacheserverSpec.affinity',
  ]),
  ...rows(noLoras, ['loraAdapters', 'loraController']),
  ...rows(inPods, [
    'sharedPvcStorage',
    'extraObjects',
    'global',
    'spillway.image',
    'spillway.prometheusRule',
    'spillway.networkPolicy',
    'spillway.gate',
  ]),
  'spillway.bareMetal': { up: hostsOnly, simulate: hostsOnly },
  'spillway.dashboard': onlyUp,
  'spillway.enginePort': onlyUp,
  'spillway.engineProcesses': onlyUp,
  'spillway.standIn': both,
  'spillway.vllmCommand': onlyUp,
  'spillway.observability.prometheus': onlyUp,
  'spillway.observability.prometheusPort': onlyUp,
  'spillway.observability.prometheusCommand': onlyUp,
  'spillway.observability.prometheusDirectory': onlyUp,
  'spillway.observability.prometheusRules': onlyUp,
  'spillway.observability.scrapeSeconds': onlyUp,
  'spillway.thresholds': { up: plansOnly, simulate: plansOnly },
};

/** Keys of the whole file without effect on Kubernetes, since the chart's templates do not read them. Lists are written `modelSpec[]`. */
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
  'spillway.standIn': 'it is for spillway up and simulations',
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
