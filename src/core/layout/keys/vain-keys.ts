// Finds the keys in a values file without effect under `spillway up` or on Kubernetes, each with the reason.
import type { EngineKind, ModelEntry, Values } from '../../values/index.ts';
import { type ArgumentNote, argumentNotes } from '../argument-notes.ts';
import { effectNotes, vainSettings } from '../effect-notes.ts';
import { isOff } from '../entry-values.ts';
import { readEntry } from '../read-settings.ts';
import { type Effect, none, used } from '../setting.ts';
import { settingNames, settingsTable } from '../table.ts';
import { engineKeys } from './engine-keys.ts';
import { stackKeys, vainChartKeys } from './stack-keys.ts';

/** A key without effect. */
export interface VainKey {
  /** Keys and indexes from the top of the file. */
  readonly path: readonly (string | number)[];
  /**
   * `missing` if a real deployment would behave differently, `none` if nothing is missing on this
   * machine.
   */
  readonly kind: 'none' | 'missing';
  /** The reason: a clause without its full stop. */
  readonly reason: string;
  /** Whether it is about an argument that vLLM 0.32 would not understand. */
  readonly isUnclear?: boolean;
}

/** What runs a values file: this machine (`spillway up`), or a cluster by the chart. */
export type Target = 'up' | 'kubernetes';

/**
 * @param values Validated, with defaults.
 * @param written The same as plain data, without defaults. Values that are off, empty or null count
 * as absent.
 * @param kindOf Returns what an entry runs.
 */
export function vainKeys(
  values: Values,
  written: unknown,
  kindOf: (entry: ModelEntry) => EngineKind,
  target: Target = 'up',
): readonly VainKey[] {
  const entries = values.servingEngineSpec.modelSpec;
  const found: VainKey[] = [];
  const notes = argumentNotes(values, kindOf);
  const effectAt = target === 'up' ? effectUnderUp : effectOnKubernetes;
  const walk = (data: unknown, path: VainKey['path']): void => {
    if (isOff(data)) return;
    if (isArguments(path)) {
      found.push(...vainArguments(path, entries, kindOf, notes));
      return;
    }
    const effect = effectAt(path, entries, kindOf);
    if (effect === undefined && typeof data === 'object' && data !== null) {
      for (const [key, value] of Object.entries(data)) {
        walk(value, [...path, Array.isArray(data) ? Number(key) : key]);
      }
    } else if (effect !== undefined && effect.kind !== 'used') {
      found.push({ path, ...effect });
    }
  };
  walk(written, []);
  return found;
}

type EffectAt = (
  path: VainKey['path'],
  entries: readonly ModelEntry[],
  kindOf: (entry: ModelEntry) => EngineKind,
) => Effect | undefined;

/** Undefined for a map if only the keys below it have effects. */
const effectUnderUp: EffectAt = (path, entries, kindOf) => {
  const [top, list, index, ...rest] = path;
  if (top !== 'servingEngineSpec' || list !== 'modelSpec') return stackKeys[path.join('.')]?.up;
  const entry = entries[Number(index)];
  if (entry === undefined || rest.length === 0) return undefined;
  if (!entry.enabled) return used;
  const key = rest.join('.');
  switch (kindOf(entry)) {
    case 'url':
      return urlKeys.includes(key) ? used : runsAlready;
    case 'embedded':
      return engineKeys[key]?.engine ?? settingEffects.get(key)?.engine;
    case 'vllm':
      return engineKeys[key]?.serve ?? settingEffects.get(key)?.serve;
  }
};

/** The chart's templates read every key but these; an embedded engine in a pod does what one on this machine does. */
const effectOnKubernetes: EffectAt = (path, entries, kindOf) => {
  const reason = vainChartKeys[keyOf(path)];
  if (reason !== undefined) return none(reason);
  const [, list, index, ...rest] = path;
  const entry = list === 'modelSpec' ? entries[Number(index)] : undefined;
  if (entry === undefined || rest.length === 0) return undefined;
  if (!entry.enabled) return used;
  return kindOf(entry) === 'embedded' ? settingEffects.get(rest.join('.'))?.engine : undefined;
};

/** Without indexes: `a.b[].c`. */
function keyOf(path: VainKey['path']): string {
  return path
    .map((part) => (typeof part === 'number' ? '[]' : `.${part}`))
    .join('')
    .slice(1);
}

const urlKeys = ['name', 'enabled', 'kind', 'urls', 'modelURL'];
const runsAlready = none('the engine at this URL is already running');

const settingEffects = new Map(
  settingNames.flatMap((name) =>
    settingsTable[name].keys.map((key) => [key, settingsTable[name].effects] as const),
  ),
);

function isArguments([, list, , ...rest]: VainKey['path']): boolean {
  return list === 'modelSpec' && rest.join('.') === 'vllmConfig.extraArgs';
}

/** Flags in extraArgs that embedded engines do not use, and arguments that vLLM would not understand. */
function vainArguments(
  path: VainKey['path'],
  entries: readonly ModelEntry[],
  kindOf: (entry: ModelEntry) => EngineKind,
  notes: readonly ArgumentNote[],
): readonly VainKey[] {
  const entry = entries[Number(path[2])];
  if (entry === undefined || !entry.enabled) return [];
  const vain =
    kindOf(entry) === 'embedded'
      ? vainSettings(readEntry(entry), 'engine').filter(({ source }) => source.startsWith('-'))
      : [];
  return [
    ...[...Map.groupBy(vain, ({ kind }) => kind)].flatMap(([kind, rows]) =>
      effectNotes(rows).map((note) => ({ path, kind, reason: note.replace(/\.$/, '') })),
    ),
    ...notes
      .filter((note) => note.path[2] === path[2])
      .map(({ reason }) => ({ path, kind: 'missing' as const, reason, isUnclear: true })),
  ];
}
