// From texts to values: presets and files in order, then --set, then --set-string, then checks.
import { InputError, nearest } from '../base/index.ts';
import { mergeTrees } from './merge.ts';
import { parseValues } from './parse.ts';
import { presets } from './presets.ts';
import { type Problem, reportProblems } from './problem.ts';
import type { Values } from './schema.ts';
import { applySet } from './set.ts';
import { type Dictionary, emptyMap } from './tree.ts';
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
}

export interface ResolvedValues {
  /** Validated, with every default. */
  readonly values: Values;
  /** Only what was written, merged, with places and comments. */
  readonly written: Dictionary;
}

/** @throws {InputError} With one line per problem, each with file, line and what is allowed. */
export function resolveValues(input: ValuesInput): ResolvedValues {
  const problems: Problem[] = [];
  let written = emptyMap('values');
  for (const { name, text } of [...presetFile(input.preset), ...(input.files ?? [])]) {
    const parsed = parseValues(text, name);
    problems.push(...parsed.problems);
    written = mergeTrees(written, parsed.tree);
  }
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
  const validated = validateValues(written);
  problems.push(...validated.problems);
  if (validated.values === undefined || problems.length > 0) {
    throw new InputError(reportProblems(problems));
  }
  return { values: validated.values, written };
}

function presetFile(name: string | undefined): { name: string; text: string }[] {
  if (name === undefined) return [];
  const preset = presets.find((candidate) => candidate.name === name);
  if (preset) return [{ name: `preset ${name}`, text: preset.yaml }];
  const names = presets.map((candidate) => candidate.name);
  const near = nearest(name, names);
  throw new InputError(
    `--preset ${name} is not a preset; ${near ? `did you mean ${near}? ` : ''}Known: ${names.join(', ')}.`,
  );
}
