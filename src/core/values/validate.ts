// Checks merged values against the schema and says, one sentence each, what is wrong and where.
import type { z } from 'zod';
import { nearest } from '../base/index.ts';
import { checkCombinations } from './combinations.ts';
import { withDefaults } from './merge.ts';
import { type Problem, shownValue } from './problem.ts';
import { type Values, valuesSchema } from './schema.ts';
import { allKeys, allowedText, knownKeys, rootNode, schemaAt } from './schema-node.ts';
import { type Dictionary, type Path, pathText, placeAt, type Step, treeAt } from './tree.ts';

/** Values, or what is wrong with them. */
export type Validated =
  | { readonly values: Values; readonly problems: readonly [] }
  | { readonly values: undefined; readonly problems: readonly Problem[] };

/** Every default of the schema. */
export const defaultValues: Values = valuesSchema.parse({});

/** Fills defaults in and checks everything that can be checked without running it. */
export function validateValues(written: Dictionary): Validated {
  const plain = withDefaults(defaultValues, written, rootNode);
  const parsed = valuesSchema.safeParse(plain);
  const problems = parsed.success
    ? checkCombinations(parsed.data).map(({ path, sentence }) => ({
        place: placeAt(written, path),
        sentence,
      }))
    : parsed.error.issues.flatMap((issue) => problemsOf(issue, [], written, plain));
  if (parsed.success && problems.length === 0) return { values: parsed.data, problems: [] };
  return { values: undefined, problems };
}

type Issue = z.core.$ZodIssue;

function problemsOf(issue: Issue, base: Path, written: Dictionary, plain: unknown): Problem[] {
  const path = [...base, ...(issue.path as Step[])];
  if (issue.code === 'unrecognized_keys') {
    return issue.keys.map((key) => ({
      place: placeAt(written, [...path, key], 'key'),
      sentence: unknownKey(path, key),
    }));
  }
  if (issue.code === 'invalid_union') {
    const branch = closestBranch(issue.errors);
    if (branch) return branch.flatMap((inner) => problemsOf(inner, path, written, plain));
  }
  const node = schemaAt(path);
  const allowed = node ? allowedText(node) : 'something else';
  const value = valueAt(plain, path);
  const missing = value === undefined;
  return [
    {
      place: placeAt(written, path),
      sentence: missing
        ? `${pathText(path)} is missing; it must be ${allowed}`
        : `${pathText(path)} must be ${allowed}, not ${shownValue(value, path)}${hint(value, path, written)}`,
    },
  ];
}

/** The alternative of a union that the value was meant for: the one that failed inside, if any. */
function closestBranch(branches: readonly (readonly Issue[])[]): readonly Issue[] | undefined {
  return branches.find((issues) =>
    issues.every((issue) => issue.path.length > 0 || issue.code === 'unrecognized_keys'),
  );
}

function unknownKey(path: Path, key: string): string {
  const full = pathText([...path, key]);
  const known = knownKeys(schemaAt(path)) ?? [];
  const near = nearest(key, known);
  if (near !== undefined) return `${full} is not a known key; did you mean ${near}`;
  const elsewhere = allKeys().filter((candidate) => candidate.key === key);
  const first = elsewhere[0];
  if (first !== undefined) return `${full} is not a known key here; it belongs at ${first.path}`;
  const where = path.length === 0 ? 'at the top' : `below ${pathText(path)}`;
  return `${full} is not a known key; known ${where}: ${known.join(', ')}`;
}

function hint(value: unknown, path: Path, written: Dictionary): string {
  const node = schemaAt(path);
  const source = treeAt(written, path)?.place.source ?? '';
  const scalar = typeof value === 'boolean' || typeof value === 'number';
  if (scalar && node?.type === 'string') {
    return source.startsWith('--set') ? '; use --set-string for a text' : '; put it in quotes';
  }
  if (typeof value === 'string' && node?.enum) {
    const near = nearest(value, node.enum.map(String));
    if (near !== undefined) return `; did you mean ${near}`;
  }
  return '';
}

function valueAt(plain: unknown, path: Path): unknown {
  return path.reduce<unknown>(
    (value, step) =>
      typeof value === 'object' && value !== null
        ? (value as Record<Step, unknown>)[step]
        : undefined,
    plain,
  );
}
