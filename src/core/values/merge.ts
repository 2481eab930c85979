// Merges as Helm does: maps key by key, anything else replaces, null removes a default.
import { acceptsNull, childSchema, knownKeys, type SchemaNode } from './schema-node.ts';
import type { Dictionary, Tree } from './tree.ts';

/**
 * Merges one file over another. Nulls stay, because they may remove a default later. Merging is
 * associative as long as no key is a map in one file and something else in another.
 */
export function mergeTrees(lower: Dictionary, upper: Dictionary): Dictionary {
  const entries = new Map(lower.entries);
  for (const [key, entry] of upper.entries) {
    const below = entries.get(key);
    entries.set(key, {
      ...entry,
      above: entry.above ?? below?.above,
      value:
        below?.value.kind === 'map' && entry.value.kind === 'map'
          ? mergeTrees(below.value, entry.value)
          : entry.value,
    });
  }
  return { kind: 'map', place: upper.place, entries, above: upper.above ?? lower.above };
}

/**
 * Merges the written values over the defaults and drops nulls. A null removes a default: a map or
 * list of the schema becomes empty, a scalar of the schema returns to its default, and a key of a
 * free-form map is removed.
 */
export function withDefaults(
  defaults: unknown,
  written: Tree,
  schema: SchemaNode | undefined,
): unknown {
  switch (written.kind) {
    case 'leaf':
      return written.value;
    case 'list':
      return written.items.map((item, index) =>
        withDefaults(undefined, item, childSchema(schema, index)),
      );
    case 'map': {
      const result: Record<string, unknown> = isPlainMap(defaults) ? { ...defaults } : {};
      for (const [key, { value }] of written.entries) {
        const below = result[key];
        const child = childSchema(schema, key);
        const isNull = value.kind === 'leaf' && value.value === null;
        if (!isNull || (acceptsNull(child) && (below ?? null) === null)) {
          result[key] = withDefaults(below, value, child);
        } else if (knownKeys(schema)?.includes(key) && typeof below === 'object') {
          result[key] = Array.isArray(below) ? [] : {};
        } else {
          delete result[key];
        }
      }
      return result;
    }
  }
}

function isPlainMap(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
