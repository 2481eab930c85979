// Generates the smallest JSON value that a JSON schema allows, for responses that must validate.
import { regexInstance } from '../../../core/api/index.ts';

/** Maximum depth of nested schemas; deeper ones become null. */
const depthMax = 32;

/**
 * @param schema JSON schema: enum, const, type, properties, required, items, prefixItems, anyOf,
 *   oneOf, allOf, $ref into its own $defs, and the bounds on numbers, strings and lists.
 * @returns A value that it allows, or undefined if the schema names a type that JSON lacks.
 */
export function schemaInstance(schema: unknown, root: unknown = schema, depth = 0): unknown {
  if (depth > depthMax || schema === true) return null;
  if (typeof schema !== 'object' || schema === null) return null;
  const rules = schema as Record<string, unknown>;
  if ('const' in rules) return rules['const'];
  if (Array.isArray(rules['enum'])) return rules['enum'][0];
  if (typeof rules['$ref'] === 'string') {
    return schemaInstance(resolve(rules['$ref'], root), root, depth + 1);
  }
  for (const key of ['anyOf', 'oneOf'] as const) {
    const options = rules[key];
    if (Array.isArray(options))
      return schemaInstance({ ...rules, [key]: undefined, ...options[0] }, root, depth + 1);
  }
  if (Array.isArray(rules['allOf'])) {
    const merged = Object.assign({}, ...rules['allOf'], { ...rules, allOf: undefined });
    return schemaInstance(merged, root, depth + 1);
  }
  const type = Array.isArray(rules['type']) ? rules['type'][0] : rules['type'];
  switch (type ?? impliedType(rules)) {
    case 'object':
      return objectInstance(rules, root, depth);
    case 'array':
      return arrayInstance(rules, root, depth);
    case 'string':
      return stringInstance(rules);
    case 'integer':
      return numberInstance(rules, true);
    case 'number':
      return numberInstance(rules, false);
    case 'boolean':
      return true;
    case 'null':
      return null;
    default:
      return undefined;
  }
}

function impliedType(rules: Record<string, unknown>): string {
  if ('properties' in rules || 'required' in rules) return 'object';
  if ('items' in rules || 'prefixItems' in rules) return 'array';
  if ('minimum' in rules || 'maximum' in rules) return 'number';
  return Object.keys(rules).length === 0 ? 'null' : 'string';
}

function objectInstance(rules: Record<string, unknown>, root: unknown, depth: number): object {
  const properties = (rules['properties'] ?? {}) as Record<string, unknown>;
  const required = Array.isArray(rules['required']) ? (rules['required'] as string[]) : [];
  const names = required.length > 0 ? required : Object.keys(properties);
  return Object.fromEntries(
    names.map((name) => [name, schemaInstance(properties[name] ?? {}, root, depth + 1)]),
  );
}

function arrayInstance(rules: Record<string, unknown>, root: unknown, depth: number): unknown[] {
  const prefix = Array.isArray(rules['prefixItems']) ? rules['prefixItems'] : [];
  const least = Math.max(size(rules['minItems'], 1), prefix.length);
  const most = size(rules['maxItems'], least);
  return Array.from({ length: Math.min(least, most) }, (_, i) =>
    schemaInstance(prefix[i] ?? rules['items'] ?? {}, root, depth + 1),
  );
}

const formats: Readonly<Record<string, string>> = {
  date: '2026-01-01',
  'date-time': '2026-01-01T00:00:00Z',
  time: '00:00:00Z',
  email: 'somebody@example.com',
  uri: 'https://example.com/',
  uuid: '00000000-0000-4000-8000-000000000000',
  ipv4: '192.0.2.1',
  hostname: 'example.com',
};

function stringInstance(rules: Record<string, unknown>): string {
  const pattern = rules['pattern'];
  if (typeof pattern === 'string') return regexInstance(pattern);
  const format = formats[String(rules['format'])];
  if (format) return format;
  const least = size(rules['minLength'], 0);
  const most = size(rules['maxLength'], Number.POSITIVE_INFINITY);
  return 'synthetic'.padEnd(least, ' text').slice(0, most);
}

/** Returns the smallest allowed number; without a minimum, 1 or the largest below it. */
function numberInstance(rules: Record<string, unknown>, isInteger: boolean): number {
  const bound = (name: string) => size(rules[name], Number.NaN);
  const [least, above] = [bound('minimum'), bound('exclusiveMinimum')];
  const [most, below] = [bound('maximum'), bound('exclusiveMaximum')];
  const low = Math.max(...[least, above, Number.NEGATIVE_INFINITY].filter((x) => !Number.isNaN(x)));
  const high = Math.min(...[most, below, Number.POSITIVE_INFINITY].filter((x) => !Number.isNaN(x)));
  const fits = (value: number) =>
    value >= low && value <= high && value !== above && value !== below;
  const multiple = rules['multipleOf'];
  const step = typeof multiple === 'number' ? multiple : isInteger ? 1 : undefined;
  if (step !== undefined) {
    const start = low === Number.NEGATIVE_INFINITY ? Math.min(1, high) : low;
    const first = Math.ceil(start / step) * step;
    return [first, first + step, first - step].find(fits) ?? first;
  }
  const middles = [low + 0.5, (low + high) / 2, high - 0.5];
  return (
    [low, ...(low === Number.NEGATIVE_INFINITY ? [1] : []), ...middles, high].find(
      (value) => Number.isFinite(value) && fits(value),
    ) ?? 1
  );
}

function size(value: unknown, otherwise: number): number {
  return typeof value === 'number' ? value : otherwise;
}

function resolve(reference: string, root: unknown): unknown {
  return find(reference, root) ?? {};
}

/** References to other documents allow any value. */
function find(reference: string, root: unknown): unknown {
  if (!reference.startsWith('#/')) return {};
  let at: unknown = root;
  for (const part of reference.slice(2).split('/')) {
    const key = part.replaceAll('~1', '/').replaceAll('~0', '~');
    at = typeof at === 'object' && at !== null ? (at as Record<string, unknown>)[key] : undefined;
  }
  return at ?? undefined;
}
