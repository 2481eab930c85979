// Reads the settings of one engine from keys, flags and kwargs by the table.
import { InputError } from '../base/index.ts';
import type { ModelEntry } from '../values/index.ts';
import { textsOf, valueAt } from './entry-values.ts';
import { currentTransfers } from './former-flags.ts';
import type { Program, Setting } from './setting.ts';
import {
  type SettingName,
  type Settings,
  settingNames,
  settingOfFlag,
  settingOfKwarg,
  settingsTable,
} from './table.ts';
import { isFlag, plainWords } from './words.ts';

/** The settings that were read. */
export interface ReadSettings {
  readonly settings: Settings;
  /** Where each value came from: a key of the entry, a flag or a kwarg; in the order of reading. */
  readonly sources: ReadonlyMap<SettingName, string>;
  /** Flags and kwargs that are not in the table. */
  readonly unknown: readonly string[];
  /** Words that are neither flags nor values of flags. */
  readonly stray: readonly string[];
}

/**
 * Reads an entry of modelSpec: its keys, then `extraArgs`, which follow on the command line and
 * take precedence.
 *
 * @throws {InputError} If a value is invalid; names the key or flag and the entry.
 */
export function readEntry(entry: ModelEntry): ReadSettings {
  const keys = readKeys(entry);
  const words = readWords(entryArguments(entry), `extraArgs of ${entry.name}: `);
  // A setting that is set twice is listed where it takes effect.
  const sources = new Map([...keys.sources].filter(([name]) => !words.sources.has(name)));
  return {
    settings: { ...keys.settings, ...words.settings },
    sources: new Map([...sources, ...words.sources]),
    unknown: words.unknown,
    stray: words.stray,
  };
}

/** Returns `extraArgs` of an entry as vLLM 0.32 has them. */
export function entryArguments({ vllmConfig }: ModelEntry): readonly string[] {
  return currentTransfers(vllmConfig?.extraArgs ?? []);
}

/**
 * Reads a command line of `vllm serve`. The last occurrence of a flag counts; words that are
 * neither flags nor values of flags are ignored.
 *
 * @param owner Prefix of the flag in errors.
 * @throws {InputError} If a value is missing or invalid.
 * @example readWords(['-tp', '2', '--max-model-len=8K']).settings; // { tensorParallelSize: 2,
 * maxModelLen: 8192 }
 */
export function readWords(words: readonly string[], owner = ''): ReadSettings {
  const reading = new Reading();
  const plain = plainWords(words);
  for (let i = 0; i < plain.length; i++) {
    const word = plain[i] as string;
    if (!isFlag(word)) {
      reading.stray.push(word);
      continue;
    }
    const equals = word.indexOf('=');
    const flag = equals < 0 ? word : word.slice(0, equals);
    const inline = equals < 0 ? [] : [word.slice(equals + 1)];
    const name = settingOfFlag(flag);
    const opposite = name ?? settingOfFlag(flag.replace(/^--no-/, '--'));
    if (opposite === undefined || (name === undefined && !isSwitch(opposite))) {
      reading.unknown.push(flag);
      // It may have one.
      if (inline.length === 0 && isValue(plain[i + 1])) i++;
      continue;
    }
    const { value } = settingsTable[opposite];
    const where = `${owner}${flag}`;
    if (value.arity === 'switch') {
      if (inline.length === 0 && /^(true|false)$/i.test(plain[i + 1] ?? '')) {
        inline.push(plain[++i] as string);
      }
      const isOn = switchOf(inline[0], where) === (name !== undefined);
      reading.set(opposite, [String(isOn)], flag, where);
      continue;
    }
    const texts = [...inline];
    const most = value.arity === 'many' ? Number.POSITIVE_INFINITY : 1;
    while (texts.length < most && i + 1 < plain.length && !isFlag(plain[i + 1] as string)) {
      texts.push(plain[++i] as string);
    }
    if (texts.length === 0 && value.arity !== 'many') {
      throw new InputError(`${where} needs a value; it must be ${value.allowed}.`);
    }
    reading.set(opposite, texts, flag, where);
  }
  return reading;
}

/**
 * Old releases of vLLM had switches with a value, such as `--enable-chunked-prefill=False`, also as two arguments.
 *
 * @throws {InputError} If there is another value.
 */
function switchOf(value: string | undefined, where: string): boolean {
  if (value === undefined || /^true$/i.test(value)) return true;
  if (/^false$/i.test(value)) return false;
  throw new InputError(`${where} takes no value.`);
}

/**
 * Reads settings with vLLM's Python names, such as its `engine_kwargs`. Null counts as absent.
 *
 * @param owner Prefix of the key in errors.
 * @param program The program whose settings are checked: a file of an older vLLM may contain others
 * in different forms.
 * @throws {InputError} If a value is invalid.
 */
export function readKwargs(
  kwargs: Readonly<Record<string, unknown>>,
  owner: string,
  program: Program,
): ReadSettings {
  const reading = new Reading();
  for (const [key, value] of Object.entries(kwargs)) {
    if (value === null || value === undefined) continue;
    const name = settingOfKwarg(key);
    if (name === undefined) reading.unknown.push(key);
    else if (settingsTable[name].effects[program].kind !== 'used') reading.name(name, value, key);
    else reading.set(name, textsOf(value), key, `${owner}${key}`);
  }
  return reading;
}

/** Reads the keys of an entry, without `extraArgs`. */
function readKeys(entry: ModelEntry): ReadSettings {
  const reading = new Reading();
  for (const name of settingNames) {
    for (const key of settingsTable[name].keys) {
      const given = givenAt(entry, name, key);
      if (given !== undefined) reading.set(name, textsOf(given), key, `${key} of ${entry.name}`);
    }
  }
  return reading;
}

/**
 * @param key One of the keys of the setting.
 * @returns The value of the entry, or the one that the chart passes without it; undefined if there
 * is none.
 */
export function givenAt(entry: ModelEntry, name: SettingName, key: string): unknown {
  const { chartDefault } = settingsTable[name] as Setting;
  return valueAt(entry, key) ?? (isBesideVllmConfig(entry, key) ? chartDefault : undefined);
}

/** The chart's own defaults apply only if there is a vllmConfig. */
function isBesideVllmConfig({ vllmConfig }: ModelEntry, key: string): boolean {
  return vllmConfig !== undefined && key.startsWith('vllmConfig.');
}

class Reading implements ReadSettings {
  readonly settings: Record<string, unknown> & Settings = {};
  readonly sources = new Map<SettingName, string>();
  readonly unknown: string[] = [];
  readonly stray: string[] = [];

  set(name: SettingName, texts: readonly string[], source: string, where: string): void {
    const { value } = settingsTable[name];
    const before = this.settings[name];
    const all =
      value.arity === 'repeated' && Array.isArray(before)
        ? [...before.map(String), ...texts]
        : texts;
    this.name(name, value.parse(all, where), source);
  }

  /** @param value The value after the change. */
  name(name: SettingName, value: unknown, source: string): void {
    (this.settings as Record<string, unknown>)[name] = value;
    this.sources.delete(name);
    this.sources.set(name, source);
  }
}

function isValue(word: string | undefined): boolean {
  return word !== undefined && !isFlag(word);
}

function isSwitch(name: SettingName): boolean {
  return settingsTable[name].value.arity === 'switch';
}
