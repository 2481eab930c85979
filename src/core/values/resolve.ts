// From texts to values: presets and files in order, then --set, then --set-string, then checks.
import { InputError, nearest } from '../base/index.ts';
import { type Catalogue, checkNames } from './catalogue.ts';
import { mergeTrees } from './merge.ts';
import { parseValues } from './parse.ts';
import { presets } from './presets.ts';
import { type Problem, ValuesError } from './problem.ts';
import type { Values } from './schema.ts';
import { allKeys } from './schema-node.ts';
import { applySet } from './set.ts';
import { type Dictionary, emptyMap, pathText, placeAt, treeAt } from './tree.ts';
import { validateValues } from './validate.ts';

/** What the user gave, in the order in which Helm applies it; later wins. */
export interface ValuesInput {
  /** A preset to start from. */
  readonly preset?: string | undefined;
  /** Texts of `-f` files, left to right, with the names to use in errors. */
  readonly files?: readonly { readonly name: string; readonly text: string }[] | undefined;
  /** Arguments of `--set`, left to right. */
  readonly sets?: readonly string[] | undefined;
  /** Arguments of `--set-string`, left to right. */
  readonly setStrings?: readonly string[] | undefined;
  /** Given, it says whether GPUs and models of embedded engines are known. */
  readonly catalogue?: Catalogue | undefined;
}

export interface ResolvedValues {
  /** Validated, with every default. */
  readonly values: Values;
  /** Only what was written, merged, with places and comments. */
  readonly written: Dictionary;
  /** What was written in vain: keys that are accepted and have no effect. */
  readonly warnings: readonly Problem[];
}

/** @throws {ValuesError} With one line per problem: file, line, key, what is allowed. */
export function resolveValues(input: ValuesInput): ResolvedValues {
  const problems: Problem[] = [];
  let readable = true;
  let written: Dictionary | undefined;
  const files = [...presetFile(input.preset), ...(input.files ?? [])];
  for (const { name, text } of files) {
    const parsed = parseValues(text, name);
    problems.push(...parsed.problems);
    readable &&= parsed.readable;
    written = written === undefined ? parsed.tree : mergeTrees(written, parsed.tree);
  }
  written ??= emptyMap('values');
  for (const [flag, texts] of [
    ['--set', input.sets ?? []],
    ['--set-string', input.setStrings ?? []],
  ] as const) {
    for (const text of texts) {
      const applied = applySet(written, text, flag);
      problems.push(...applied.problems);
      written = applied.tree;
    }
  }
  const sources = files.map(({ name }) => name);
  if (!readable) throw new ValuesError(inOrder(problems, sources));
  const { catalogue } = input;
  const validated = validateValues(
    written,
    catalogue ? [(values) => checkNames(values, catalogue)] : [],
  );
  problems.push(...validated.problems);
  if (validated.values === undefined || problems.length > 0) {
    throw new ValuesError(inOrder(problems, sources));
  }
  return { values: validated.values, written, warnings: ineffectiveKeys(written) };
}

/** Written keys that upstream's examples carry and its templates do not read. */
function ineffectiveKeys(written: Dictionary): Problem[] {
  return allKeys()
    .filter(({ node }) => node['x-ignored'])
    .map(({ path, node }) => ({ path: path.split('.'), meaning: node.description ?? '' }))
    .filter(({ path }) => treeAt(written, path) !== undefined)
    .map(({ path, meaning }) => ({
      place: placeAt(written, path, 'key'),
      sentence: `${pathText(path)}: ${meaning.replace(/\.$/, '')}`,
    }));
}

/** Problems from top to bottom of each file, files in their order, flags last. */
function inOrder(problems: readonly Problem[], sources: readonly string[]): Problem[] {
  const rank = ({ place }: Problem): readonly number[] => [
    sources.includes(place.source) ? sources.indexOf(place.source) : sources.length,
    place.line ?? 0,
    place.column ?? 0,
  ];
  return problems.toSorted((a, b) => {
    const [left, right] = [rank(a), rank(b)];
    const differs = left.findIndex((value, index) => value !== right[index]);
    return (left[differs] ?? 0) - (right[differs] ?? 0);
  });
}

function presetFile(name: string | undefined): { name: string; text: string }[] {
  if (name === undefined) return [];
  const preset = presets.find((candidate) => candidate.name === name);
  if (preset) return [{ name: `preset ${name}`, text: preset.yaml }];
  const names = presets.map((candidate) => candidate.name);
  const near = nearest(name, names);
  throw new InputError(
    `--preset ${name} is not a preset; ${near ? `did you mean ${near}? Known` : 'known'}: ${names.join(', ')}.`,
  );
}
