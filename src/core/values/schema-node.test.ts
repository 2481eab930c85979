// Tests look-ups in small schemas.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { z } from 'zod';
import {
  accepts,
  acceptsNull,
  allKeys,
  allowedText,
  childSchema,
  knownKeys,
  schemaAt,
  schemaRoot,
} from './schema-node.ts';

/** Returns the description of the allowed values of a zod type. */
const said = (type: z.ZodType): string => allowedText(schemaRoot(type));

test('describes allowed values by type and range', () => {
  const table: [z.ZodType, string][] = [
    [z.boolean(), 'true or false'],
    [z.null(), 'null'],
    [z.literal('a'), '"a"'],
    [z.enum(['a', 'b']), 'one of a, b'],
    [z.int(), 'a whole number'],
    [z.number(), 'a number'],
    [z.number().min(0), 'a number of at least 0'],
    [z.number().max(9), 'a number of at most 9'],
    [z.number().min(0).max(9), 'a number from 0 to 9'],
    [z.number().gt(0), 'a number above 0'],
    [z.number().gt(0).max(9), 'a number above 0 and at most 9'],
    [z.int().min(-5).max(9), 'a whole number from -5 to 9'],
    [z.string(), 'a text'],
    [z.string().min(1), 'a text that is not empty'],
    [z.url(), 'an http:// or https:// URL'],
    [z.string().regex(/^[0-9]+$/), 'a text with such a number'],
    [
      z
        .string()
        .regex(/%$/)
        .meta({ examples: ['75%', '8GiB'] }),
      'a text such as "75%" or "8GiB"',
    ],
    [z.string().regex(/^[0-9]+[numkMGTPE]$/), 'a quantity such as "500m" or "16Gi"'],
    [z.array(z.string()), 'a list of texts'],
    [z.array(z.url()), 'a list of http:// or https:// URLs'],
    [z.array(z.object({})), 'a list of maps'],
    [z.object({ a: z.string() }), 'a map'],
    [z.record(z.string(), z.string()), 'a map of texts'],
    [z.record(z.string(), z.number()), 'a map'],
    [z.unknown(), 'a value'],
  ];
  for (const [type, text] of table) assert.equal(said(type), text);
});

test('joins alternatives, each once, and lists the keys of a map if they are few', () => {
  assert.equal(said(z.union([z.boolean(), z.null()])), 'true or false or null');
  assert.equal(said(z.union([z.string(), z.boolean(), z.null()])), 'a text, true or false or null');
  assert.equal(said(z.union([z.object({ a: z.int() }), z.object({ b: z.int() })])), '{a} or {b}');
  assert.equal(said(z.union([z.string(), z.string().max(5)])), 'a text');
  const keys = (count: number) =>
    z.object(Object.fromEntries([...'abcdefgh'.slice(0, count)].map((key) => [key, z.int()])));
  assert.equal(said(z.union([z.null(), keys(6)])), 'null or {a, b, c, d, e, f}');
  assert.equal(said(z.union([z.null(), keys(7)])), 'null or a map');
  assert.equal(said(z.union([z.null(), keys(0)])), 'null or a map');
});

test('accepts null where the schema allows it or has no type', () => {
  const root = schemaRoot(z.object({ a: z.string().nullable(), b: z.string() }));
  assert.equal(acceptsNull(undefined), true);
  assert.equal(acceptsNull(schemaAt(['a'], root)), true);
  assert.equal(acceptsNull(schemaAt(['b'], root)), false);
});

test('accepts a number where a whole one is allowed, and no other type for an enumeration', () => {
  assert.equal(accepts(schemaRoot(z.int()), 'number'), true);
  assert.equal(accepts(schemaRoot(z.int()), 'string'), false);
  assert.equal(accepts(schemaRoot(z.number()), 'integer'), false);
  assert.equal(accepts({ enum: ['a'] }, 'string'), false);
  assert.equal(accepts({}, 'string'), true);
});

test('finds a place through maps, named maps, lists and alternatives', () => {
  const item = z.object({ size: z.int() });
  const root = schemaRoot(
    z.object({
      list: z.union([z.null(), z.array(item)]),
      named: z.record(z.string(), item),
      closed: z.strictObject({ a: z.int() }),
    }),
  );
  assert.equal(schemaAt(['list', 0, 'size'], root)?.type, 'integer');
  assert.equal(schemaAt(['named', 'anything', 'size'], root)?.type, 'integer');
  assert.equal(schemaAt(['closed', 'b'], root), undefined);
  assert.equal(schemaAt(['closed', 'a', 'deeper'], root), undefined);
  assert.equal(childSchema(undefined, 'a'), undefined);
});

test('returns the keys of a map unless any key is allowed, without those that have no effect', () => {
  const open = schemaRoot(z.record(z.string(), z.int()));
  assert.equal(knownKeys(open), undefined);
  assert.equal(knownKeys(undefined), undefined);
  const alternatives = z.union([z.string(), z.object({ a: z.int() }), z.object({ b: z.int() })]);
  assert.deepEqual(knownKeys(schemaRoot(alternatives)), ['a', 'b']);
  const ignored = { properties: { a: {}, b: { 'x-ignored': true } } };
  assert.deepEqual(knownKeys(ignored), ['a']);
});

test('lists all keys depth first, with [] for items and .NAME for named maps', () => {
  const root = schemaRoot(
    z.object({
      a: z.object({ b: z.int() }),
      list: z.array(z.object({ c: z.int() })),
      named: z.record(z.string(), z.object({ d: z.union([z.null(), z.object({ e: z.int() })]) })),
    }),
  );
  assert.deepEqual(
    allKeys(root).map(({ path }) => path),
    ['a', 'a.b', 'list', 'list[].c', 'named', 'named.NAME.d', 'named.NAME.d.e'],
  );
  assert.equal(allKeys(root), allKeys(root));
});
