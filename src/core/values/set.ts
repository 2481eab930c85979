// Parses and applies the `--set a.b[0].c=v` grammar of Helm.

import { type Problem, withoutSecrets } from './problem.ts';
import { accepts, acceptsAnyText, schemaAt } from './schema-node.ts';
import {
  type Dictionary,
  type Path,
  type Place,
  pathText,
  type Scalar,
  type Step,
  type Tree,
} from './tree.ts';

/** Maximum list index, and maximum depth of a path, in Helm. */
const indexMax = 65_536;
const stepsMax = 30;

export interface Applied {
  readonly tree: Dictionary;
  readonly problems: readonly Problem[];
}

/** Flags that set one key. */
export type SetFlag = '--set' | '--set-string' | '--set-workload' | '--set-a' | '--set-b';

/**
 * Applies one `--set` (typed) or `--set-string` (texts only) argument.
 * The grammar is Helm's: `a=1,b.c=x`, `a[0].b=x`, `a={x,y}`, `\,` and `\.` for the characters
 * themselves; true, false, null, [] and whole numbers are typed. Two things differ: `{}` is an
 * empty list, which Helm reads as an empty text; and "0.5" is a number where the key accepts only
 * numbers, which Helm leaves a text.
 *
 * @see https://helm.sh/docs/intro/using_helm/#the-format-and-limitations-of---set
 */
export function applySet(tree: Dictionary, text: string, flag: SetFlag): Applied {
  const place: Place = { source: `${flag} ${withoutSecrets(text)}` };
  try {
    let result = tree;
    for (const { path, value } of parseAssignments(text)) {
      const next = assign(result, path, 0, valueTree(path, value, flag, place), place);
      if (next.kind === 'map') result = next;
    }
    return { tree: result, problems: [] };
  } catch (error) {
    if (!(error instanceof SetSyntaxError)) throw error;
    return { tree, problems: [{ place, sentence: error.message }] };
  }
}

class SetSyntaxError extends Error {}

interface Assignment {
  readonly path: Path;
  readonly value: string | readonly string[];
}

function parseAssignments(text: string): Assignment[] {
  const characters = [...text];
  let at = 0;
  const assignments: Assignment[] = [];
  while (at < characters.length) {
    const path = readPath();
    assignments.push({ path, value: readValue() });
  }
  if (assignments.length === 0) throw new SetSyntaxError('nothing is set; write KEY=VALUE');
  return assignments;

  /** Reads up to one of `stops`, which it consumes; `stop` is '' at the end of the text. */
  function until(stops: string): { word: string; stop: string } {
    let word = '';
    while (at < characters.length) {
      const character = characters[at++] ?? '';
      if (character === '\\') word += characters[at++] ?? '';
      else if (stops.includes(character)) return { word, stop: character };
      else word += character;
    }
    return { word, stop: '' };
  }

  function readPath(): Path {
    const path: Step[] = [];
    for (;;) {
      const { word, stop } = until('=[,.');
      if (word === '') throw new SetSyntaxError('a key is empty; write KEY=VALUE');
      if (word === '__proto__') throw new SetSyntaxError('__proto__ cannot be used as a key');
      path.push(word);
      if (path.length > stepsMax) throw new SetSyntaxError(`nested deeper than ${stepsMax} levels`);
      if (stop === '=') return path;
      if (stop === '' || stop === ',') {
        throw new SetSyntaxError(
          `${pathText(path)} has no value; write ${pathText(path)}=VALUE, and \\, for a comma inside a value`,
        );
      }
      if (stop === '[' && readIndexes(path)) return path;
    }
  }

  /** Reads `0]`, `0][1]` and the character that follows; returns true if that is `=`. */
  function readIndexes(path: Step[]): boolean {
    for (;;) {
      const { word, stop } = until(']');
      const index = /^\d+$/.test(word) ? Number(word) : -1;
      if (stop !== ']' || index < 0 || index > indexMax) {
        throw new SetSyntaxError(
          `[${word}${stop} is not a list index; it must be a whole number from 0 to ${indexMax}, as in ${pathText(path)}[0]`,
        );
      }
      path.push(index);
      const next = characters[at++];
      if (next === '=') return true;
      if (next === '.') return false;
      if (next === '[') continue;
      if (next === undefined)
        throw new SetSyntaxError(`${pathText(path)} has no value; write ${pathText(path)}=VALUE`);
      throw new SetSyntaxError(`${pathText(path)} must be followed by =, . or [, not by "${next}"`);
    }
  }

  function readValue(): string | readonly string[] {
    if (characters[at] !== '{') return until(',').word;
    at += 1;
    const items: string[] = [];
    for (;;) {
      const { word, stop } = until(',}');
      if (stop === '') throw new SetSyntaxError('a list that begins with { must end with }');
      items.push(word);
      if (stop === '}') break;
    }
    if (characters[at] === ',') at += 1;
    return items.length === 1 && items[0] === '' ? [] : items;
  }
}

function valueTree(path: Path, value: Assignment['value'], flag: string, place: Place): Tree {
  if (value === '[]' && flag !== '--set-string') return { kind: 'list', place, items: [] };
  if (typeof value === 'string') {
    return {
      kind: 'leaf',
      place,
      value: flag === '--set-string' ? value : typed(value, path, flag),
    };
  }
  const items = value.map((item, index) => valueTree([...path, index], item, flag, place));
  return { kind: 'list', place, items };
}

/** Parses an unquoted value with Helm's types. */
function typed(text: string, path: Path, flag: string): Scalar {
  const lower = text.toLowerCase();
  if (lower === 'true') return true;
  if (lower === 'false') return false;
  if (lower === 'null') return null;
  if (/^(0|[-+]?[1-9]\d*)$/.test(text) && Number.isSafeInteger(Number(text))) return Number(text);
  const numeric = /^[-+]?(\d+\.?\d*|\.\d+)([eE][-+]?\d+)?$/.test(text);
  // The schema below is that of the values file; no key of a workload is a text of digits.
  if (numeric && flag === '--set-workload') return Number(text);
  const node = schemaAt(path);
  if (numeric && node && accepts(node, 'number') && !acceptsAnyText(node)) return Number(text);
  return text;
}

function assign(
  tree: Tree | undefined,
  path: Path,
  depth: number,
  value: Tree,
  place: Place,
): Tree {
  const step = path[depth];
  if (step === undefined) return value;
  const here = tree?.kind === 'leaf' && tree.value === null ? undefined : tree;
  const where = pathText(path.slice(0, depth));
  if (typeof step === 'number') {
    if (here !== undefined && here.kind !== 'list') {
      throw new SetSyntaxError(`${where} is not a list, so it has no item [${step}]`);
    }
    const items = [...(here?.items ?? [])];
    while (items.length < step) items.push({ kind: 'leaf', place, value: null });
    items[step] = assign(items[step], path, depth + 1, value, place);
    return { kind: 'list', place: here?.place ?? place, items };
  }
  if (here !== undefined && here.kind !== 'map') {
    throw new SetSyntaxError(`${where} is not a map, so it has no key ${step}`);
  }
  const entries = new Map(here?.entries ?? []);
  const below = entries.get(step);
  const keyPlace = depth === path.length - 1 ? place : (below?.place ?? place);
  entries.set(step, {
    ...below,
    place: keyPlace,
    value: assign(below?.value, path, depth + 1, value, place),
  });
  return { kind: 'map', place: here?.place ?? place, entries };
}
