// The table of settings: every known flag of vLLM and of the embedded engine, with the keys of a
// values file that set it.
import type { Setting } from './setting.ts';
import { emulationSettings } from './settings/emulation.ts';
import { kvCacheSettings } from './settings/kv-cache.ts';
import { logSettings } from './settings/log.ts';
import { loraSettings } from './settings/loras.ts';
import { offloadSettings } from './settings/offload.ts';
import { parallelismSettings } from './settings/parallelism.ts';
import { schedulerSettings } from './settings/scheduler.ts';
import { serverSettings } from './settings/server.ts';
import { unmodelledSettings } from './settings/unmodelled.ts';
import type { ValueKind } from './value-kinds.ts';

const rows = {
  ...serverSettings,
  ...emulationSettings,
  ...parallelismSettings,
  ...schedulerSettings,
  ...kvCacheSettings,
  ...offloadSettings,
  ...loraSettings,
  ...logSettings,
  ...unmodelledSettings,
};

/** Name of a setting: its flag in camel case. */
export type SettingName = keyof typeof rows;

/** Settings of one engine; unset ones are absent. */
export type Settings = {
  readonly [N in SettingName]?: (typeof rows)[N]['value'] extends ValueKind<infer T> ? T : never;
};

/** All rows by name, grouped by subject. */
export const settingsTable: Readonly<Record<SettingName, Setting>> = rows;

/** The parts of the table, for the reference. */
export const settingSubjects: Readonly<Record<string, Readonly<Record<string, Setting>>>> = {
  'Server and API': serverSettings,
  'Embedded engine only': emulationSettings,
  'Parallelism and precision': parallelismSettings,
  Scheduler: schedulerSettings,
  'KV cache': kvCacheSettings,
  'KV tiers and connectors': offloadSettings,
  'LoRA adapters': loraSettings,
  Log: logSettings,
  'Without effect in an emulation': unmodelledSettings,
};

export const settingNames = Object.keys(rows) as readonly SettingName[];

/** @param flag A flag of the table in any of its spellings, without value. */
export function settingOfFlag(flag: string): SettingName | undefined {
  return byFlag.get(flag);
}

/** @param key A key of vLLM's `engine_kwargs`, such as `max_num_seqs`. */
export function settingOfKwarg(key: string): SettingName | undefined {
  return byFlag.get(`--${key.replaceAll('_', '-')}`);
}

const byFlag: ReadonlyMap<string, SettingName> = new Map(
  settingNames.flatMap((name) => {
    const { flag, aliases } = settingsTable[name];
    return [flag, ...aliases].map((one) => [one, name] as const);
  }),
);
