// Checks merged values against the schema; reports each fault in one sentence with its place.
import { checkCombinations } from './combinations.ts';
import type { Conflict } from './conflict.ts';
import { withDefaults } from './merge.ts';
import type { Problem } from './problem.ts';
import { type Values, valuesSchema } from './schema.ts';
import { type Fault, schemaFaults, valueAt } from './schema-faults.ts';
import { isAnchorKey, valuesRoot } from './schema-node.ts';
import { inSchemaTypes } from './spellings.ts';
import { type Dictionary, type Path, placeAt, type Step, toPlain, treeAt } from './tree.ts';

/** Values, or their problems. */
export type Validated =
  | { readonly values: Values; readonly problems: readonly [] }
  | { readonly values: undefined; readonly problems: readonly Problem[] };

/** A check of valid values. */
export type Check = (values: Values) => readonly Conflict[];

/** Every default of the schema. */
export const defaultValues: Values = valuesSchema.parse({});

/** Returns the written values with all defaults, in the types of the schema where they can be read so. */
export function plainValues(written: Dictionary): unknown {
  const entries = [...written.entries].filter(([key]) => !isAnchorKey(key));
  const known = { ...written, entries: new Map(entries) };
  return inSchemaTypes(withDefaults(defaultValues, known, valuesRoot()), valuesRoot());
}

/** Returns the written values without defaults, in the types of the schema where they can be read so. */
export function writtenValues(written: Dictionary): unknown {
  return inSchemaTypes(toPlain(written), valuesRoot());
}

/**
 * Adds defaults and checks everything that can be checked without running it.
 *
 * @param more Checks in addition to those that apply to every program.
 */
export function validateValues(written: Dictionary, more: readonly Check[] = []): Validated {
  const plain = plainValues(written);
  const parsed = valuesSchema.safeParse(plain);
  const checks = [checkCombinations, ...more];
  if (parsed.success) {
    const problems = checks.flatMap((check) => located(check(parsed.data), written));
    return problems.length === 0
      ? { values: parsed.data, problems: [] }
      : { values: undefined, problems };
  }
  const faults = schemaFaults(parsed.error, { written, plain, root: valuesRoot() });
  // Faults of single values must not hide conflicts: check the rest without these values.
  const rest = valuesSchema.safeParse(without(plain, faults));
  const conflicts = rest.success ? checks.flatMap((check) => check(rest.data)) : [];
  const independent = conflicts.filter(
    ({ path, others }) =>
      !faults.some((fault) => [path, ...others].some((one) => meets(one, fault.path))),
  );
  return { values: undefined, problems: [...faults, ...located(independent, written)] };
}

function located(conflicts: readonly Conflict[], written: Dictionary): Problem[] {
  return conflicts.map(({ path, others, sentence }) => {
    const writer = [path, ...others].find((candidate) => treeAt(written, candidate) !== undefined);
    return { place: placeAt(written, writer ?? path), sentence };
  });
}

/** Returns a copy without the values at the faults' paths. */
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

/** Returns whether one path contains the other. */
function meets(one: Path, other: Path): boolean {
  const shared = Math.min(one.length, other.length);
  return one.slice(0, shared).every((step, index) => step === other[index]);
}
