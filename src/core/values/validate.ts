// Checks merged values against the schema and says, one sentence each, what is wrong and where.
import type { z } from 'zod';
import { nearest } from '../base/index.ts';
import { checkCombinations } from './combinations.ts';
import type { Conflict } from './conflict.ts';
import { withDefaults } from './merge.ts';
import { type Problem, shownValue } from './problem.ts';
import { type Values, valuesSchema } from './schema.ts';
import { allowedText, rootNode, schemaAt } from './schema-node.ts';
import { type Dictionary, type Path, pathText, placeAt, type Step, treeAt } from './tree.ts';
import { unknownKeySentence } from './unknown-key.ts';

/** Values, or what is wrong with them. */
export type Validated =
  | { readonly values: Values; readonly problems: readonly [] }
  | { readonly values: undefined; readonly problems: readonly Problem[] };

/** A check of values that are well formed. */
export type Check = (values: Values) => readonly Conflict[];

/** Every default of the schema. */
export const defaultValues: Values = valuesSchema.parse({});

/**
 * Fills defaults in and checks everything that can be checked without running it.
 *
 * @param more Checks beside those that hold for everyone.
 */
export function validateValues(written: Dictionary, more: readonly Check[] = []): Validated {
  const plain = withDefaults(defaultValues, written, rootNode);
  const parsed = valuesSchema.safeParse(plain);
  const checks = [checkCombinations, ...more];
  if (parsed.success) {
    const problems = checks.flatMap((check) => located(check(parsed.data), written));
    return problems.length === 0
      ? { values: parsed.data, problems: [] }
      : { values: undefined, problems };
  }
  const faults = parsed.error.issues.flatMap((issue) => faultsOf(issue, [], written, plain));
  // What is wrong by itself must not hide what is wrong together: check the rest without it.
  const rest = valuesSchema.safeParse(without(plain, faults));
  const conflicts = rest.success ? checks.flatMap((check) => check(rest.data)) : [];
  const independent = conflicts.filter(
    ({ path, others }) =>
      !faults.some((fault) => [path, ...others].some((one) => meets(one, fault.path))),
  );
  return { values: undefined, problems: [...faults, ...located(independent, written)] };
}

interface Fault extends Problem {
  readonly path: Path;
}

type Issue = z.core.$ZodIssue;

function faultsOf(issue: Issue, base: Path, written: Dictionary, plain: unknown): Fault[] {
  const path = [...base, ...(issue.path as Step[])];
  if (issue.code === 'unrecognized_keys') {
    return issue.keys.map((key) => ({
      path: [...path, key],
      place: placeAt(written, [...path, key], 'key'),
      sentence: unknownKeySentence(path, key),
    }));
  }
  if (issue.code === 'invalid_union') {
    const branch = closestBranch(issue.errors);
    if (branch) return branch.flatMap((inner) => faultsOf(inner, path, written, plain));
  }
  const value = valueAt(plain, path);
  const node = schemaAt(path);
  const allowed = `${pathText(path)} ${value === undefined ? 'is missing; it must be' : 'must be'} ${node ? allowedText(node) : 'something else'}`;
  const sentence =
    value === undefined
      ? allowed
      : `${allowed}, not ${shownValue(value, path)}${hint(value, path, written)}`;
  return [{ path, place: placeAt(written, path), sentence }];
}

/** The alternative of a union that the value was meant for: the one that failed inside, if any. */
function closestBranch(branches: readonly (readonly Issue[])[]): readonly Issue[] | undefined {
  return branches.find(
    (issues) =>
      issues.length > 0 &&
      issues.every((issue) => issue.path.length > 0 || issue.code === 'unrecognized_keys'),
  );
}

function hint(value: unknown, path: Path, written: Dictionary): string {
  const node = schemaAt(path);
  if (node?.type === 'string' && (typeof value === 'boolean' || typeof value === 'number')) {
    const flag = treeAt(written, path)?.place.line === undefined;
    return flag ? '; use --set-string for a text' : '; put it in quotes';
  }
  if (typeof value === 'string' && node?.enum) {
    const near = nearest(value, node.enum.map(String));
    if (near !== undefined) return `; did you mean ${near}?`;
  }
  return '';
}

function located(conflicts: readonly Conflict[], written: Dictionary): Problem[] {
  return conflicts.map(({ path, others, sentence }) => {
    const writer = [path, ...others].find((candidate) => treeAt(written, candidate) !== undefined);
    return { place: placeAt(written, writer ?? path), sentence };
  });
}

/** A copy without the values at the faults' paths. */
function without(plain: unknown, faults: readonly Fault[]): unknown {
  const copy = structuredClone(plain);
  for (const { path } of faults) {
    const parent = valueAt(copy, path.slice(0, -1));
    const step = path.at(-1);
    if (typeof parent === 'object' && parent !== null && step !== undefined) {
      delete (parent as Record<Step, unknown>)[step];
    }
  }
  return copy;
}

/** Whether one path lies within the other. */
function meets(one: Path, other: Path): boolean {
  const shared = Math.min(one.length, other.length);
  return one.slice(0, shared).every((step, index) => step === other[index]);
}

function valueAt(plain: unknown, path: Path): unknown {
  return path.reduce<unknown>(
    (value, step) =>
      typeof value === 'object' && value !== null && Object.hasOwn(value, step)
        ? (value as Record<Step, unknown>)[step]
        : undefined,
    plain,
  );
}
