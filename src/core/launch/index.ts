// What starts for a values file: its engines and its router, as command lines and environments of processes.
export { type CachePorts, cacheEnvironment, cacheFlags } from './cache-flags.ts';
export { clusterArguments, withoutClusterArguments } from './cluster-arguments.ts';
export { type EngineServices, engineEnvironment } from './engine-environment.ts';
export { type EnginePorts, embeddedEngineFlags, type ListenAt, vllmFlags } from './engine-flags.ts';
export {
  type EnginePlan,
  type LocalEngine,
  type ProcessGroup,
  planEngines,
  processGroups,
  type RemoteEngine,
  servedModel,
} from './engine-plan.ts';
export { engineRole, withoutLabels } from './engine-role.ts';
export { keysInEnvironment } from './keys-in-environment.ts';
export { type ControllerPorts, hasController } from './lmcache-controller.ts';
export { routerEnvironment, routerKeyOf } from './router-environment.ts';
export { type Backend, listenerFault, routerFlags } from './router-flags.ts';
