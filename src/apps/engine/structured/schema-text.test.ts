import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { schemaText } from './schema-text.ts';

type Schema = Readonly<Record<string, unknown>>;

const bounds = fc.record({
  low: fc.integer({ min: -50, max: 50 }),
  room: fc.integer({ min: 2, max: 9 }),
});
const numbers = fc
  .tuple(
    fc.constantFrom('integer', 'number'),
    bounds,
    fc.constantFrom('', 'in', 'low', 'high', 'out', 'multiple'),
  )
  .map(([type, { low, room }, kind]): Schema => {
    const high = low + room;
    switch (kind) {
      case 'in':
        return { type, minimum: low, maximum: high };
      case 'out':
        return { type, exclusiveMinimum: low, exclusiveMaximum: high };
      case 'low':
        return { type, minimum: low + 0.5 };
      case 'high':
        return { type, maximum: low - 0.5 };
      case 'multiple':
        return { type, minimum: low, maximum: low + 10, multipleOf: room };
      default:
        return { type };
    }
  });
const strings = fc.oneof(
  fc.record({ least: fc.nat(20), room: fc.nat(20) }).map(({ least, room }) => ({
    ...{ type: 'string', minLength: least, maxLength: least + room },
  })),
  fc
    .constantFrom('^[a-c]{2}$', '\\d{3}-\\d+', '^(yes|no)$')
    .map((pattern) => ({ type: 'string', pattern })),
);
const leaves = fc.oneof(
  ...[numbers, strings],
  fc.constantFrom<Schema>(
    { type: 'boolean' },
    { type: 'null' },
    { const: [1, { a: 2 }] },
    { $ref: '#/$defs/one' },
  ),
  fc
    .array(fc.jsonValue(), { minLength: 1, maxLength: 3 })
    .map((values): Schema => ({ enum: values })),
);
const { schema } = fc.letrec<{ schema: Schema }>((tie) => ({
  schema: fc.oneof(
    { maxDepth: 3 },
    leaves,
    fc.tuple(tie('schema'), fc.nat(3), fc.nat(3)).map(([items, least, room]) => ({
      type: 'array',
      items,
      minItems: least,
      maxItems: least + room,
    })),
    fc
      .tuple(
        fc.dictionary(fc.stringMatching(/^[a-z]{1,5}$/), tie('schema'), { maxKeys: 4 }),
        fc.boolean(),
      )
      .map(([properties, isAll]) => ({
        ...{ type: 'object', properties, additionalProperties: false },
        required: isAll ? Object.keys(properties) : Object.keys(properties).slice(1),
      })),
    fc.array(tie('schema'), { minLength: 1, maxLength: 3 }).map((anyOf) => ({ anyOf })),
  ),
}));

test('returns a valid value for any schema', () => {
  fc.assert(
    fc.property(schema, (rules) => {
      const whole = { ...rules, $defs: { one: { type: 'integer', minimum: 3 } } };
      assert.deepEqual(
        faults(whole, JSON.parse([...(schemaText(whole) ?? [])].join('')), whole),
        [],
      );
    }),
  );
});

/** Returns the faults of a value, with a second implementation of the rules of JSON schema. */
function faults(rules: Schema, value: unknown, root: Schema): string[] {
  const found: string[] = [];
  const hold = (isRight: boolean, rule: string) => {
    if (!isRight) found.push(`${rule}: ${JSON.stringify(value)}`);
  };
  const same = (a: unknown, b: unknown) => JSON.stringify(a) === JSON.stringify(b);
  if (rules['$ref']) return faults((root['$defs'] as { one: Schema }).one, value, root);
  if (Array.isArray(rules['anyOf'])) {
    hold(
      rules['anyOf'].some((one) => faults(one, value, root).length === 0),
      'anyOf',
    );
  }
  if ('const' in rules) hold(same(rules['const'], value), 'const');
  if (Array.isArray(rules['enum']))
    hold(
      rules['enum'].some((one) => same(one, value)),
      'enum',
    );
  const { type, minimum, maximum, exclusiveMinimum, exclusiveMaximum } = rules as Record<
    string,
    never
  >;
  if (type === 'integer' || type === 'number') {
    const number = value as number;
    hold(typeof value === 'number' && (type === 'number' || Number.isInteger(value)), 'type');
    hold(minimum === undefined || number >= minimum, 'minimum');
    hold(maximum === undefined || number <= maximum, 'maximum');
    hold(exclusiveMinimum === undefined || number > exclusiveMinimum, 'exclusiveMinimum');
    hold(exclusiveMaximum === undefined || number < exclusiveMaximum, 'exclusiveMaximum');
    const step = rules['multipleOf'] as number | undefined;
    hold(step === undefined || Number.isInteger(number / step), 'multipleOf');
  } else if (type === 'string') {
    const { length } = value as string;
    hold(typeof value === 'string', 'type');
    hold(length >= ((rules['minLength'] as number | undefined) ?? 0), 'minLength');
    hold(length <= ((rules['maxLength'] as number | undefined) ?? length), 'maxLength');
    hold(new RegExp(String(rules['pattern'] ?? '')).test(value as string), 'pattern');
  } else if (type === 'boolean') hold(typeof value === 'boolean', 'type');
  else if (type === 'null') hold(value === null, 'type');
  else if (type === 'array') {
    const items = value as unknown[];
    hold(items.length >= (rules['minItems'] as number), 'minItems');
    hold(items.length <= (rules['maxItems'] as number), 'maxItems');
    found.push(...items.flatMap((item) => faults(rules['items'] as Schema, item, root)));
  } else if (type === 'object') {
    const properties = rules['properties'] as Record<string, Schema>;
    hold(
      (rules['required'] as string[]).every((name) => Object.hasOwn(value as object, name)),
      'required',
    );
    for (const [name, one] of Object.entries(value as object)) {
      const own = Object.hasOwn(properties, name) ? properties[name] : undefined;
      hold(own !== undefined, 'additionalProperties');
      if (own) found.push(...faults(own, one, root));
    }
  }
  return found;
}

/** The first characters of the text of a schema, however long it is. */
function beginning(schema: Schema, characters = 200): string {
  let text = '';
  for (const piece of schemaText(schema) ?? []) {
    text += piece;
    if (text.length >= characters) break;
  }
  return text.slice(0, characters);
}

test('writes no more of a text than is read', () => {
  const items = { type: 'string', pattern: 'ab' };
  const list = { type: 'array', minItems: 1e9, items };
  assert.equal(beginning(list, 16), '["ab","ab","ab",');
  const deep = Array.from({ length: 30 }).reduce<Schema>(
    (inner) => ({ type: 'array', minItems: 10, items: inner }),
    items,
  );
  assert.equal(beginning(deep, 36), `${'['.repeat(30)}"ab","`);
  assert.match(beginning({ type: 'string', minLength: 2 ** 31 - 1 }), /^"synthetic text text/);
  const property = { $ref: '#/$defs/pair' };
  const pair = { type: 'object', properties: { a: property, b: property }, required: ['a', 'b'] };
  assert.match(beginning({ ...property, $defs: { pair } }), /^({"a":)+/);
});

test('decides about a schema once, however often the text has it', () => {
  const allOf = Array.from({ length: 20_000 }, () => ({ type: 'integer' }));
  const startMs = process.cpuUsage().user / 1000;
  const text = beginning({ type: 'array', minItems: 1e9, items: { allOf } }, 100_000);
  assert.ok(text.startsWith('[1,1,1,'));
  // 50,000 times 20,000 steps would take minutes.
  assert.ok(process.cpuUsage().user / 1000 - startMs < 5_000);
});

test('a long text has the length that its schema asks for', () => {
  for (const minLength of [1024, 1025, 3000, 5003]) {
    const text = [...(schemaText({ type: 'string', minLength }) ?? [])].join('');
    assert.equal((JSON.parse(text) as string).length, minLength);
  }
});
