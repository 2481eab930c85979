// Resolves texts to values: presets and files in order, then --set, then --set-string, then checks.
import { type Catalogue, checkNames } from './catalogue.ts';
import { controlCharacters } from './control-characters.ts';
import { foreignFile } from './foreign-file.ts';
import { mergeTrees } from './merge.ts';
import { parseValues } from './parse.ts';
import { findPreset } from './presets.ts';
import { type Problem, ValuesError } from './problem.ts';
import type { Values } from './schema.ts';
import { allKeys } from './schema-node.ts';
import { applySet, type SetFlag } from './set.ts';
import { subchartPart, subchartPath } from './subchart.ts';
import { type Dictionary, emptyMap, type Path, pathText, placeAt, treeAt } from './tree.ts';
import { type Check, validateValues } from './validate.ts';
import { helmYaml } from './yaml-dialect.ts';

/** The user's input, in the order in which Helm applies it; later input takes precedence. */
export interface ValuesInput {
  /** The preset to start from. */
  readonly preset?: string | undefined;
  /** Texts of `-f` files, left to right, with their names for errors. */
  readonly files?: readonly { readonly name: string; readonly text: string }[] | undefined;
  /** Keys below which the files have the values, as those of a chart that contains this one: `vllm`. */
  readonly subchart?: string | undefined;
  /** Arguments of `--set`, left to right. */
  readonly sets?: readonly string[] | undefined;
  /** What a user calls that flag. @default --set */
  readonly setFlag?: SetFlag | undefined;
  /** Arguments of `--set-string`, left to right. */
  readonly setStrings?: readonly string[] | undefined;
  /** If set, checks that GPUs and models of embedded engines are known. */
  readonly catalogue?: Catalogue | undefined;
  /** Further checks of valid values, in addition to those of this room. */
  readonly checks?: readonly Check[] | undefined;
}

export interface ResolvedValues {
  /** Validated, with all defaults. */
  readonly values: Values;
  /** Only the written values, merged, with places and comments. */
  readonly written: Dictionary;
  /** Keys that are accepted but have no effect, and keys that are set twice. */
  readonly warnings: readonly Problem[];
}

/** @throws {ValuesError} With one line per problem: file, line, key, what is allowed. */
export function resolveValues(input: ValuesInput): ResolvedValues {
  const problems: Problem[] = [];
  const warnings: Problem[] = [];
  let readable = true;
  let written: Dictionary | undefined;
  const preset = presetFile(input.preset);
  const files = [...preset, ...(input.files ?? [])];
  let trees: readonly Dictionary[] = files.map(({ name, text }) => {
    const parsed = parseValues(text, name, helmYaml, 'last');
    problems.push(...parsed.problems);
    warnings.push(...parsed.warnings);
    readable &&= parsed.readable;
    return parsed.tree;
  });
  if (input.subchart !== undefined && readable) {
    const part = subchartPart(trees.slice(preset.length), subchartPath(input.subchart));
    trees = [...trees.slice(0, preset.length), ...part.parts];
    problems.push(...part.problems);
  }
  const foreign = trees.flatMap((tree) => foreignFile(tree) ?? []);
  if (foreign.length > 0) throw new ValuesError(foreign);
  for (const tree of trees) written = written === undefined ? tree : mergeTrees(written, tree);
  written ??= emptyMap('values');
  for (const [flag, texts] of [
    [input.setFlag ?? '--set', input.sets ?? []],
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
  const { catalogue, checks = [] } = input;
  const validated = validateValues(written, [
    ...(catalogue ? [(values: Values) => checkNames(values, catalogue)] : []),
    ...checks,
  ]);
  problems.push(...validated.problems, ...controlCharacters(written));
  if (validated.values === undefined || problems.length > 0) {
    throw new ValuesError(inOrder(problems, sources));
  }
  const values = withOwnRouting(validated.values, written, sources);
  warnings.push(...ineffectiveKeys(written));
  return { values, written, warnings: inOrder(warnings, sources) };
}

/**
 * The policy of Spillway's own router: `spillway.routingLogic`, unless a later source set the chart's key.
 * A file can so name one policy for the chart and another one for Spillway.
 */
function withOwnRouting(values: Values, written: Dictionary, sources: readonly string[]): Values {
  const own = values.spillway.routingLogic;
  if (own === undefined) return values;
  const rank = (path: readonly string[]): number => {
    const node = treeAt(written, path);
    if (node === undefined) return -1;
    const { source } = node.place;
    if (sources.includes(source)) return sources.lastIndexOf(source);
    return sources.length + (source.startsWith('--set-string') ? 1 : 0);
  };
  const isOverridden = rank(['routerSpec', 'routingLogic']) > rank(['spillway', 'routingLogic']);
  if (isOverridden) return values;
  return { ...values, routerSpec: { ...values.routerSpec, routingLogic: own } };
}

/** Returns the written keys that occur in upstream's examples but are not used by its templates. */
function ineffectiveKeys(written: Dictionary): Problem[] {
  return allKeys()
    .filter(({ node }) => node['x-ignored'])
    .flatMap(({ path, node }) =>
      writtenPaths(path, written).map((place) => ({
        path: place,
        meaning: node.description ?? '',
      })),
    )
    .map(({ path, meaning }) => ({
      place: placeAt(written, path, 'key'),
      sentence: `${pathText(path)}: ${meaning.replace(/\.$/, '')}`,
    }));
}

/** Returns the places of a key in a file; `[]` in the path stands for every item of a list. */
function writtenPaths(path: string, written: Dictionary): readonly Path[] {
  const steps = path.replaceAll('[]', '.[]').split('.');
  const paths = steps.reduce<readonly Path[]>(
    (found, step) => {
      if (step !== '[]') return found.map((before) => [...before, step]);
      return found.flatMap((before) => {
        const list = treeAt(written, before);
        return list?.kind === 'list' ? list.items.map((_, index) => [...before, index]) : [];
      });
    },
    [[]],
  );
  return paths.filter((one) => treeAt(written, one) !== undefined);
}

/** Sorts problems from top to bottom of each file, files in their order, flags last. */
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
  return [{ name: `preset ${name}`, text: findPreset(name, `--preset ${name}`).yaml }];
}
