// Reads a file of ours other than the values file (a plan's input, a workload): YAML or JSON, checked
// against a zod schema, each fault with its place.
import type { z } from 'zod';
import { parseValues } from './parse.ts';
import { ValuesError } from './problem.ts';
import { schemaFaults } from './schema-faults.ts';
import { schemaRoot } from './schema-node.ts';
import { type Dictionary, toPlain } from './tree.ts';

export interface ReadDocument<T> {
  readonly value: T;
  /** As written, for places of problems that the schema cannot see. */
  readonly written: Dictionary;
}

/**
 * @param source The file's name, for places.
 * @throws {ValuesError} With one line per problem: file, line, key, what is allowed.
 * @example readDocument(z.strictObject({ engines: z.int() }), 'engines: 8', 'my.yaml').value.engines; // 8
 */
export function readDocument<T extends z.ZodType>(
  schema: T,
  text: string,
  source: string,
): ReadDocument<z.output<T>> {
  const { tree, problems } = parseValues(text, source);
  if (problems.length > 0) throw new ValuesError(problems);
  return checkDocument(schema, tree);
}

/**
 * The same for a file that is read already.
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
