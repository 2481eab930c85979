// What the program reads of a cluster: lists of objects that a watch keeps current, and the engines among pods and
// Services. Pure: `io/kubernetes` has the connections.
export {
  ClusterProtocolError,
  type ListPage,
  parseListPage,
  parseWatchEvent,
  type ReadObject,
  statusMessage,
  type WatchEvent,
} from './api-objects.ts';
export { type ClusterEngine, type EnginePod, enginesOfPods, readEnginePod } from './engine-pods.ts';
export {
  type EngineService,
  enginesOfServices,
  readEngineService,
  readServiceSlice,
  type ServiceSlice,
} from './engine-services.ts';
export { at, listAt, textAt } from './json-fields.ts';
export { PageTokens } from './page-tokens.ts';
export {
  type ListStep,
  objectsMax,
  type StepEnd,
  WatchedList,
  type WatchedListOptions,
} from './watched-list.ts';
