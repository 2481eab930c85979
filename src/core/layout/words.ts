// Normalizes the forms in which `vllm serve` accepts its flags: short names, abbreviations, underscores, and one
// flag per field of a JSON value.
import { InputError } from '../base/index.ts';
import { settingNames, settingOfFlag, settingsTable } from './table.ts';
import { readableInteger } from './value-kinds.ts';

/**
 * @param fullName Completes the name of a flag; by default as `vllm serve`, whose names other commands lack.
 * @returns The same flags, each as `--long-name value` or `--long-name=value`; JSON flags that were
 * given in fields are joined, at the end.
 * @throws {InputError} If a field has no value, or an invalid name.
 * @example plainWords(['-tp=2', '--max_model_len', '8K']); // ['--tensor-parallel-size=2',
 * '--max-model-len', '8K']
 * @see vllm/utils/argparse_utils.py, FlexibleArgumentParser.parse_args
 */
export function plainWords(
  words: readonly string[],
  fullName: (name: string) => string = fullFlag,
): string[] {
  const plain = words.map((word) => longForm(word, fullName));
  const whole: string[] = [];
  const pieces = new Map<string, Record<string, unknown>>();
  for (let i = 0; i < plain.length; i++) {
    const word = plain[i] as string;
    const dotted = /^--([a-z0-9-]+)\.([^=]+)(?:=([\s\S]*))?$/.exec(word);
    if (!dotted) {
      whole.push(word);
      continue;
    }
    const [, flag = '', path = '', inline] = dotted;
    const value = inline ?? plain[++i];
    if (value === undefined) throw new InputError(`${word} needs a value.`);
    const fields = pieces.get(flag) ?? {};
    pieces.set(flag, fields);
    put(fields, path.split('.'), value);
  }
  for (const [flag, fields] of pieces) whole.push(`--${flag}`, JSON.stringify(fields));
  return whole;
}

/** Returns whether a word is a flag, not a value such as -1. */
export function isFlag(word: string): boolean {
  return /^-[^\d.]/.test(word);
}

/** Returns a word with the flag's long name. */
export function longForm(word: string, fullName: (name: string) => string = fullFlag): string {
  if (!isFlag(word)) return word;
  const level = /^-O=?([^=\s]+)$/.exec(word)?.[1];
  if (level !== undefined) return `--optimization-level=${level}`;
  // Names have dashes up to the first dot; after it come fields.
  const end = /[.=]/.exec(word)?.index ?? word.length;
  const name = word.slice(0, end);
  const dashed = name.startsWith('--') ? name.replaceAll('_', '-') : name;
  return `${fullName(dashed)}${word.slice(end)}`;
}

/**
 * Returns the flag of the table that a word stands for, as argparse finds it: another spelling, the opposite of a switch, or the beginning
 * of one flag only; otherwise the word.
 */
function fullFlag(name: string): string {
  const known = settingOfFlag(name);
  if (known !== undefined) return settingsTable[known].flag;
  if (!name.startsWith('--')) return name;
  spellings ??= switchSpellings();
  const exact = spellings.get(name);
  if (exact !== undefined) return exact;
  const longer = [...spellings].filter(([spelling]) => spelling.startsWith(name));
  const [only] = longer;
  return longer.length === 1 && only !== undefined ? only[1] : name;
}

/** Returns the whole flag if a word has only its beginning; undefined for other words. */
export function abbreviatedFlag(word: string): string | undefined {
  const [name = ''] = word.replaceAll('_', '-').split(/[.=]/);
  spellings ??= switchSpellings();
  if (!name.startsWith('--') || spellings.has(name)) return undefined;
  const full = fullFlag(name);
  return full === name ? undefined : full;
}

/** All long spellings, with the words that they stand for. */
let spellings: ReadonlyMap<string, string> | undefined;

/** vLLM 0.33 has `--disable-x` for each `--enable-x`, beside `--no-enable-x`, and the other way round. */
function switchSpellings(): ReadonlyMap<string, string> {
  const all = new Map<string, string>();
  const inverses: [string, string][] = [];
  for (const name of settingNames) {
    const { flag, aliases, value } = settingsTable[name];
    for (const one of [flag, ...aliases]) {
      if (!one.startsWith('--')) continue;
      all.set(one, flag);
      if (value.arity !== 'switch') continue;
      const opposite = flag.replace('--', '--no-');
      all.set(one.replace('--', '--no-'), opposite);
      const inverse = one.replace(/^--(enable|disable)-/, (_, word: string) =>
        word === 'enable' ? '--disable-' : '--enable-',
      );
      if (inverse !== one) inverses.push([inverse, opposite]);
    }
  }
  for (const [inverse, opposite] of inverses) if (!all.has(inverse)) all.set(inverse, opposite);
  return all;
}

/** Sets a field. A name that ends in `+` appends the parts between commas to a list. */
function put(fields: Record<string, unknown>, path: readonly string[], text: string): void {
  const [name = '', ...rest] = path;
  if (['__proto__', 'constructor', 'prototype'].includes(name)) {
    throw new InputError(`A flag cannot set the field "${name}".`);
  }
  if (rest.length > 0) {
    const inner = fields[name];
    const next = typeof inner === 'object' && inner !== null ? inner : {};
    fields[name] = next;
    put(next as Record<string, unknown>, rest, text);
  } else if (name.endsWith('+')) {
    const list = name.slice(0, -1);
    const before = fields[list];
    fields[list] = [...(Array.isArray(before) ? before : []), ...text.split(',')];
  } else {
    fields[name] = jsonOrText(text);
  }
}

function jsonOrText(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return readableInteger(text) ?? text;
  }
}
