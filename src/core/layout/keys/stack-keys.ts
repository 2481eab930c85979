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
const noController = {
  up: none('kvaware follows the KV events of the engines, without an LMCache controller'),
  simulate: none('kvaware follows the KV events of the engines, without an LMCache controller'),
};
const disaggregated = {
  up: missing('the router does not disaggregate prefill and decode yet'),
  simulate: used,
};
const noCacheServer = missing('no cache server is started');
const cacheServer = { up: noCacheServer, simulate: used };
const cacheServerPod = { up: noCacheServer, simulate: kubernetes };
const noLoras = {
  up: missing('adapters are loaded by --lora-modules in extraArgs'),
  simulate: missing('the overhead of adapters is not modelled'),
};
const plansOnly = none('it is for spillway plan');
const noTraces = none('no traces are sent');

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
    'routerSpec.timeouts.request',
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
  ...rows(disaggregated, [
    'routerSpec.disaggregation.prefillPolicy',
    'routerSpec.disaggregation.decodePolicy',
    'routerSpec.disaggregation.remotePrefillTokensMin',
    'routerSpec.disaggregation.link',
    'routerSpec.disaggregation.linkLatencyMs',
  ]),
  ...rows(noController, [
    'routerSpec.lmcacheConfig',
    'routerSpec.lmcacheControllerPort',
    'routerSpec.lmcacheControllerReplyPort',
    'routerSpec.lmcacheControllerHeartbeatPort',
  ]),
  'routerSpec.otel': { up: noTraces, simulate: noTraces },
  'routerSpec.hf_token': {
    up: missing('the router takes HF_TOKEN from the environment of spillway up'),
    simulate: noServer,
  },
  'routerSpec.vllmApiKey': {
    up: missing('the router uses servingEngineSpec.vllmApiKey'),
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
  ...rows(cacheServer, [
    'cacheserverSpec.enabled',
    'cacheserverSpec.capacityGB',
    'cacheserverSpec.linkGbps',
    'cacheserverSpec.lookupMs',
    'cacheserverSpec.objectStore.enabled',
    'cacheserverSpec.objectStore.capacityGB',
    'cacheserverSpec.objectStore.latencyMs',
    'cacheserverSpec.objectStore.requestMBps',
    'cacheserverSpec.objectStore.connections',
    'cacheserverSpec.objectStore.linkGbps',
  ]),
  ...rows(cacheServerPod, [
    'cacheserverSpec.image',
    'cacheserverSpec.imagePullPolicy',
    'cacheserverSpec.imagePullSecrets',
    'cacheserverSpec.replicaCount',
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
    'cacheserverSpec.serde',
  ]),
  ...rows(noLoras, ['loraAdapters', 'loraController']),
  ...rows(inPods, ['sharedPvcStorage', 'extraObjects', 'global']),
  'spillway.dashboard': onlyUp,
  'spillway.enginePort': onlyUp,
  'spillway.engineProcesses': onlyUp,
  'spillway.vllmCommand': onlyUp,
  'spillway.thresholds': { up: plansOnly, simulate: plansOnly },
};
