// A stack on hosts with systemd: placement of engines, units and their files, what has to be done, and states. Pure:
// `tools/bare-metal` reaches the hosts.
export {
  type HostActions,
  hostActions,
  isNothing,
  prepareScript,
  removeScript,
  startScript,
  writeScript,
} from './host-actions.ts';
export { factsScript, type HostFacts, parseFacts } from './host-facts.ts';
export {
  neededPrograms,
  type StackInput,
  type WantedHost,
  type WantedStack,
  wantedStack,
} from './host-services.ts';
export { type Host, parseHosts } from './hosts.ts';
export {
  type HostFile,
  type InstalledRelease,
  parseInstalled,
  type RecordedService,
  type ReleaseRecord,
  readScript,
  recordFile,
  releaseFolder,
} from './release-files.ts';
export {
  type HostedService,
  type ObservedService,
  observeScript,
  parseObserved,
  serviceComponents,
} from './service-state.ts';
