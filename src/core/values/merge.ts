// Merging as Helm merges: maps key by key, anything else replaces, null removes a default.
import { acceptsNull, childSchema, type SchemaNode } from './schema-node.ts';
import type { Dictionary, Tree } from './tree.ts';

/**
 * Lays one file over another. Nulls stay, since they may remove a default further down; so the
 * order of grouping does not matter.
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
  return { kind: 'map', place: upper.place, entries };
}

/**
 * Lays what was written over the defaults and drops nulls. A null takes a default away: a map or
 * a list becomes empty; a scalar that must have a value goes back to its default.
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
        if (value.kind === 'leaf' && value.value === null && !acceptsNull(child)) {
          if (isPlainMap(below)) result[key] = {};
          else if (Array.isArray(below)) result[key] = [];
          else delete result[key];
        } else {
          result[key] = withDefaults(below, value, child);
        }
      }
      return result;
    }
  }
}

function isPlainMap(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
