// Reads one of our files other than the values file (a plan's input, a workload): YAML or JSON,
// checked against a zod schema, each fault with its place.
import type { SchemaOptions } from 'yaml';
import type { z } from 'zod';
import { mergeTrees } from './merge.ts';
import { parseValues } from './parse.ts';
import { ValuesError } from './problem.ts';
import { schemaFaults } from './schema-faults.ts';
import { schemaRoot } from './schema-node.ts';
import { type Dictionary, fromPlain, toPlain } from './tree.ts';
import { helmYaml } from './yaml-dialect.ts';

export interface ReadDocument<T> {
  readonly value: T;
  /** As written, for the places of problems that the schema cannot find. */
  readonly written: Dictionary;
}

/** One value of the file that a flag overrides. */
export interface DocumentOverride {
  /** Keys from the top, e.g. `['fleet', 'engines']`. */
  readonly path: readonly string[];
  readonly value: unknown;
  /** The flag as given, for places. */
  readonly source: string;
}

/**
 * @param source The file's name, for places.
 * @param overrides Applied to the file, in order.
 * @param dialect Which plain words are booleans and numbers: by default, those of Helm.
 * @throws {ValuesError} With one line per problem: file, line, key, what is allowed.
 * @example readDocument(z.strictObject({ engines: z.int() }), 'engines: 8',
 * 'my.yaml').value.engines; // 8
 */
export function readDocument<T extends z.ZodType>(
  schema: T,
  text: string,
  source: string,
  overrides: readonly DocumentOverride[] = [],
  dialect: SchemaOptions = helmYaml,
): ReadDocument<z.output<T>> {
  const { tree: file, problems } = parseValues(text, source, dialect);
  if (problems.length > 0) throw new ValuesError(problems);
  return checkDocument(
    schema,
    overrides.reduce((below, one) => mergeTrees(below, overrideTree(one)), file),
  );
}

/**
 * Does the same for a file that has been parsed already.
 *
 * @throws {ValuesError}
 */
export function checkDocument<T extends z.ZodType>(
  schema: T,
  tree: Dictionary,
): ReadDocument<z.output<T>> {
  const plain = toPlain(tree);
  const parsed = schema.safeParse(plain);
  if (parsed.success) return { value: parsed.data, written: tree };
  throw new ValuesError(
    schemaFaults(parsed.error, { written: tree, plain, root: schemaRoot(schema) }),
  );
}

function overrideTree({ path, value, source }: DocumentOverride): Dictionary {
  const nested = path.reduceRight<unknown>((inner, key) => ({ [key]: inner }), value);
  return fromPlain(nested, { source }) as Dictionary;
}
