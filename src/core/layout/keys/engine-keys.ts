// Keys of a modelSpec entry that are not flags of an engine. Together with the keys in the table of
// settings they are all keys of an entry; a test compares them with the schema.
import { missing, none, used } from '../setting.ts';
import { type EngineKeyEffects, everywhere, kubernetes, monitoring, rows } from './key-effects.ts';

const inPods: EngineKeyEffects = { engine: kubernetes, serve: kubernetes, simulate: kubernetes };
const noWeights = none('no weights are loaded');
const lmcache = { engine: used, serve: used, simulate: used };
const noLmcache = missing('the emulation of LMCache has host memory, disk and a cache server');
const noServer = missing('LMCache is emulated in the process of each engine');
const noTier = none('only emulated engines use the cost of KV tiers');
const noRole = {
  engine: missing('an emulated engine stores and loads'),
  serve: used,
  simulate: used,
};
const handOver = {
  engine: noLmcache,
  serve: missing('vLLM is started with the LMCache connector only'),
  simulate: used,
};
const ownPorts = none('the ports of the controller are those of routerSpec');
const ownPeerPorts = none('embedded engines on one machine choose free ports');
const noPeerPorts = none('a simulation has no ports');
const notStarted = {
  engine: noLmcache,
  serve: missing('vLLM is started with the LMCache connector only'),
  simulate: missing('it is not simulated'),
};

/** Keys by path below the entry. */
export const engineKeys: Readonly<Record<string, EngineKeyEffects>> = {
  ...rows(everywhere, [
    'name',
    'enabled',
    'kind',
    'urls',
    'replicaCount',
    'raySpec.enabled',
    'env',
  ]),
  'vllmConfig.extraArgs': everywhere,
  ...rows(
    {
      engine: none('there is one engine'),
      serve: none('vLLM 0.32 has one engine, V1'),
      simulate: none('there is one engine'),
    },
    ['vllmConfig.v0', 'vllmConfig.v1'],
  ),
  'vllmConfig.prometheusMultiprocDir': {
    engine: none('the embedded engine is one process'),
    serve: missing('give PROMETHEUS_MULTIPROC_DIR in env'),
    simulate: none('a simulation has no HTTP server'),
  },
  hf_token: { engine: noWeights, serve: used, simulate: noWeights },
  ...rows(lmcache, [
    'lmcacheConfig.enabled',
    'lmcacheConfig.cpuOffloadingBufferSize',
    'lmcacheConfig.diskOffloadingBufferSize',
  ]),
  'lmcacheConfig.kvRole': noRole,
  ...rows(handOver, ['lmcacheConfig.enablePD', 'lmcacheConfig.nixlRole']),
  'lmcacheConfig.enableController': { engine: used, serve: used, simulate: used },
  ...rows(
    { engine: used, serve: used, simulate: none('the routers of a simulation are always told') },
    ['lmcacheConfig.instanceId', 'lmcacheConfig.workerHeartbeatTime'],
  ),
  'lmcacheConfig.workerPorts': {
    engine: ownPeerPorts,
    serve: used,
    simulate: missing('a simulation has no LMCache controller'),
  },
  ...rows({ engine: ownPorts, serve: ownPorts, simulate: ownPorts }, [
    'lmcacheConfig.controllerPort',
    'lmcacheConfig.controllerReplyPort',
  ]),
  ...rows(notStarted, [
    'lmcacheConfig.logLevel',
    'lmcacheConfig.cudaVisibleDevices',
    'lmcacheConfig.enableNixl',
    'lmcacheConfig.nixlPeerHost',
    'lmcacheConfig.nixlPeerPort',
    'lmcacheConfig.nixlBufferSize',
    'lmcacheConfig.nixlBufferDevice',
    'lmcacheConfig.nixlEnableGc',
    'lmcacheConfig.workerPort',
  ]),
  'lmcacheConfig.enableP2P': lmcache,
  ...rows({ engine: ownPeerPorts, serve: used, simulate: noPeerPorts }, [
    'lmcacheConfig.p2pHost',
    'lmcacheConfig.p2pInitPorts',
    'lmcacheConfig.p2pLookupPorts',
  ]),
  'lmcacheConfig.mpServer': { engine: noServer, serve: used, simulate: noServer },
  ...rows({ engine: used, serve: noTier, simulate: used }, [
    'kvTiers.hostGBps',
    'kvTiers.stepMs',
    'kvTiers.lookupMs',
    'kvTiers.diskReadGBps',
    'kvTiers.diskWriteGBps',
    'kvTiers.peerGBps',
    'kvTiers.load',
  ]),
  chatTemplateConfigMap: {
    engine: kubernetes,
    serve: missing('it is for Kubernetes; chatTemplate names a file'),
    simulate: kubernetes,
  },
  // In a simulation, their label `model` says which engines prefill and which decode.
  ...rows({ ...inPods, simulate: used }, ['labels', 'podLabels']),
  ...rows(
    { engine: monitoring, serve: monitoring, simulate: missing('the number of engines is fixed') },
    ['keda'],
  ),
  ...rows(inPods, [
    'repository',
    'tag',
    'digest',
    'startupSeconds',
    'imagePullSecret',
    'requestCPU',
    'requestMemory',
    'requestGPU',
    'requestGPUType',
    'requestGPUMem',
    'requestGPUMemPercentage',
    'requestGPUCores',
    'limitCPU',
    'limitMemory',
    'limitGPUMem',
    'limitGPUMemPercentage',
    'limitGPUCores',
    'resources',
    'shmSize',
    'pvcStorage',
    'pvcAccessMode',
    'storageClass',
    'pvcMatchLabels',
    'pvcLabels',
    'pvcAnnotations',
    'pvcExistingClaimName',
    'extraVolumes',
    'extraVolumeMounts',
    'initContainer',
    'envFromSecret',
    'annotations',
    'podAnnotations',
    'serviceAnnotations',
    'serviceAccountName',
    'priorityClassName',
    'runtimeClassName',
    'affinity',
    'nodeSelectorTerms',
    'nodeName',
    'nodeSelector',
    'tolerations',
    'tolerationsPolicy',
    'pdb',
    'raySpec.headNode',
  ]),
};
