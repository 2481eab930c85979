import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import fc from 'fast-check';
import { valuesJsonSchema } from './json-schema.ts';
import { parseValues } from './parse.ts';
import { renderValues } from './render.ts';
import { valuesSchema } from './schema.ts';
import { type SchemaNode, valuesRoot } from './schema-node.ts';
import { fromPlain, toPlain } from './tree.ts';

test('values.schema.json is draft 7 and refuses unknown keys wherever it defines keys', () => {
  const schema = JSON.parse(valuesJsonSchema());
  assert.equal(schema.$schema, 'http://json-schema.org/draft-07/schema#');
  const loose: string[] = [];
  const walk = (node: SchemaNode, path: string): void => {
    if (node.properties && node.additionalProperties !== false) loose.push(path);
    for (const [key, child] of Object.entries(node.properties ?? {})) walk(child, `${path}.${key}`);
    for (const option of node.anyOf ?? []) walk(option, path);
    if (node.items) walk(node.items, `${path}[]`);
  };
  walk(schema, '');
  // Triggers and subcharts have their own keys, which KEDA and those charts check.
  assert.deepEqual(
    [...new Set(loose)],
    [
      '.servingEngineSpec.modelSpec[].keda.triggers[]',
      '.servingEngineSpec.modelSpec[].keda.triggers',
      '.kube-prometheus-stack',
      '.prometheus-adapter',
    ],
  );
});

test('values.schema.json at the root, which editors and Helm read, matches the code', () => {
  const file = join(import.meta.dirname, '..', '..', '..', 'values.schema.json');
  assert.equal(valuesJsonSchema(), readFileSync(file, 'utf8'));
});

/** Implements the keywords that the schema uses, as draft 7 defines them. */
function matches(node: SchemaNode, value: unknown): boolean {
  if (node.anyOf && !node.anyOf.some((option) => matches(option, value))) return false;
  if (node.enum && !node.enum.includes(value)) return false;
  if (node.const !== undefined && node.const !== value) return false;
  if (Array.isArray(node.type)) {
    return node.type.some((type) => matches({ ...node, type }, value));
  }
  switch (node.type) {
    case 'null':
      return value === null;
    case 'boolean':
      return typeof value === 'boolean';
    case 'integer':
      return Number.isInteger(value) && inRange(node, value as number);
    case 'number':
      return typeof value === 'number' && inRange(node, value);
    case 'string':
      return (
        typeof value === 'string' &&
        [...value].length >= (node.minLength ?? 0) &&
        (node.pattern === undefined || new RegExp(node.pattern, 'u').test(value))
      );
    case 'array':
      return (
        Array.isArray(value) &&
        value.length >= (node.minItems ?? 0) &&
        value.every((item) => matches(node.items ?? {}, item))
      );
    case 'object': {
      if (typeof value !== 'object' || value === null || Array.isArray(value)) return false;
      if (!(node.required ?? []).every((key) => Object.hasOwn(value, key))) return false;
      return Object.entries(value).every(([key, member]) => {
        const known = node.properties?.[key] ?? node.additionalProperties;
        return known === undefined || (known !== false && matches(known, member));
      });
    }
    default:
      return true;
  }
}

function inRange(node: SchemaNode, value: number): boolean {
  return (
    value >= (node.minimum ?? -Infinity) &&
    value <= (node.maximum ?? Infinity) &&
    value > (node.exclusiveMinimum ?? -Infinity)
  );
}

const scalars = fc.constantFrom<unknown>(
  null,
  true,
  0,
  1,
  2.5,
  80,
  '',
  'x',
  '500m',
  '1',
  'yes',
  '0644',
);

/** Mostly generates values that match a node, and sometimes any value. */
function sample(node: SchemaNode): fc.Arbitrary<unknown> {
  return fc.oneof({ weight: 60, arbitrary: fitting(node) }, { weight: 1, arbitrary: scalars });
}

function fitting(node: SchemaNode): fc.Arbitrary<unknown> {
  if (node.anyOf) return fc.oneof(...node.anyOf.map(fitting));
  if (node.enum) return fc.constantFrom(...node.enum);
  if (node.const !== undefined) return fc.constant(node.const);
  switch (node.type) {
    case 'null':
      return fc.constant(null);
    case 'boolean':
      return fc.boolean();
    case 'integer':
      return fc.integer({
        min: Math.max(node.minimum ?? 0, 0),
        max: Math.min(node.maximum ?? 9, 65_535),
      });
    case 'number':
      return fc.constantFrom(0.25, 0.5, 1);
    case 'string':
      if (node.format === 'uri') return fc.constantFrom('http://a', 'https://b:1/c');
      return node.pattern === undefined
        ? fc.constantFrom('a', 'true', 'off', '1_000', '~', '# no', 'a: b', '2025-05-27', 'é\n"')
        : fc.constantFrom('0.5', '1');
    case 'array':
      return fc.array(sample(node.items ?? {}), { minLength: node.minItems ?? 0, maxLength: 2 });
    case 'object': {
      if (!node.properties) {
        return fc.dictionary(
          fc.constantFrom('a', 'b.c/d', 'on'),
          sample(node.additionalProperties || {}),
          { maxKeys: 2, noNullPrototype: true },
        );
      }
      const { properties, required = [] } = node;
      const names = Object.keys(properties);
      return fc.subarray(names, { maxLength: Math.min(3, names.length) }).chain((keys) => {
        const chosen = [...new Set([...keys, ...required])];
        const model = chosen.map((key) => [key, sample(properties[key] ?? {})] as const);
        return fc.record(Object.fromEntries(model), { noNullPrototype: true });
      });
    }
    default:
      return scalars;
  }
}

/** Reads values.schema.json itself, not the loader's schema. */
const written = JSON.parse(valuesJsonSchema()) as SchemaNode;

test('values.schema.json accepts exactly what the loader accepts, on generated values', () => {
  let accepted = 0;
  fc.assert(
    fc.property(sample(valuesRoot()), (value) => {
      const valid = valuesSchema.safeParse(value).success;
      if (valid) accepted++;
      assert.equal(matches(written, value), valid);
    }),
    { numRuns: 150 },
  );
  assert.ok(accepted > 20, `only ${accepted} of the samples were valid`);
});

test('valid values are printed as YAML that parses to the same values', () => {
  fc.assert(
    fc.property(sample(valuesRoot()), (value) => {
      fc.pre(valuesSchema.safeParse(value).success);
      const text = renderValues(fromPlain(value, { source: 'test' }));
      const { tree, problems } = parseValues(text, 'test');
      assert.deepEqual(problems, [], text);
      assert.deepEqual(toPlain(tree), value, text);
      assert.equal(renderValues(tree), text);
    }),
    { numRuns: 60 },
  );
});
