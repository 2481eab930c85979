// Engine settings: the table, its readers, and the command lines that they become.
export { refusedArguments, unknownFlagReason } from './argument-notes.ts';
export { entryWords, podKvEvents, type StartedProgram, wordOrder } from './command-line.ts';
export { effectNotes, vainSettings } from './effect-notes.ts';
export type { EngineFault } from './engine-fault.ts';
export { engineFaults } from './engine-faults.ts';
export { engineKeys } from './keys/engine-keys.ts';
export { stackKeys, subchartKeys, vainChartKeys } from './keys/stack-keys.ts';
export { vainEntryKeys } from './keys/vain-entry-keys.ts';
export { type Target, type VainKey, vainKeys } from './keys/vain-keys.ts';
export { publishesWhereChosen } from './kv-event-flags.ts';
export {
  emulatedLmcache,
  kvTierCosts,
  lmcacheRoles,
  lmcacheSizes,
  namesConnector,
  sharesWithPeers,
} from './kv-tiers.ts';
export { hasMultiprocessServer } from './lmcache-server.ts';
export { allowsLongContext } from './long-context.ts';
export { type ReadSettings, readEntry, readKwargs, readWords } from './read-settings.ts';
export type { Effect, Program, Setting } from './setting.ts';
export { type SizingSettings, sizingSettings } from './sizing-settings.ts';
export {
  type SettingName,
  type Settings,
  settingNames,
  settingSubjects,
  settingsTable,
} from './table.ts';
export { jsonObject } from './value-kinds.ts';
export { plainWords } from './words.ts';
