// Constraints on the form of a response: schemas, patterns, grammars and tags, valid and invalid.
import type { Draw } from '../draw.ts';

/** Schemas that can be compiled to a grammar. */
export const schemas: readonly object[] = [
  { type: 'object', properties: { a: { type: 'integer' } }, required: ['a'] },
  { type: 'object', properties: { city: { enum: ['Paris'] } }, additionalProperties: false },
  { type: 'array', items: { type: 'boolean' }, minItems: 1, maxItems: 2 },
  { type: 'string', maxLength: 3 },
  { enum: ['x', 'y'] },
  { anyOf: [{ type: 'null' }, { type: 'boolean' }] },
  { $ref: '#/$defs/n', $defs: { n: { type: 'integer' } } },
  {},
];

/** Invalid values for a field that expects a schema. */
export const badSchemas: readonly unknown[] = [
  ...[{ type: 'no-such-type' }, { type: 5 }, { $ref: '#/nowhere' }, 'not json', '', '  '],
  ...['{"type":"integer"}', [], true, '5', 'true', 'null', '[]', '{}'],
];

const keywords: readonly object[] = [
  { type: 'string', pattern: '[a-c]+' },
  { type: 'string', pattern: '(' },
  { type: 'string', pattern: 'a', maxLength: 3 },
  { type: 'string', format: 'date' },
  { type: 'string', format: 'no-such-format' },
  { type: 'string', minLength: 4, maxLength: 2 },
  { type: 'string', minLength: 'x' },
  { type: 'integer', minimum: 3, maximum: 7 },
  { type: 'integer', minimum: 7, maximum: 3 },
  { type: 'integer', exclusiveMinimum: 3, exclusiveMaximum: 4 },
  { type: 'integer', multipleOf: 3 },
  { type: 'integer', minimum: 1.5 },
  { type: 'number', minimum: 0.5 },
  { type: 'number', minimum: 'x' },
  { type: 'array', items: { type: 'string' }, uniqueItems: true },
  { type: 'array', contains: { type: 'integer' } },
  { type: 'array', prefixItems: [{ type: 'string' }, { type: 'integer' }], items: false },
  { type: 'array', items: [{ type: 'string' }] },
  { type: 'array', minItems: 3, maxItems: 1 },
  { type: 'object', patternProperties: { '^a': { type: 'integer' } } },
  { type: 'object', patternProperties: { '^a': {} }, properties: { a: {} } },
  { type: 'object', propertyNames: { pattern: '^[a-z]+$' } },
  { type: 'object', properties: { a: {} }, required: 'a' },
  { type: 'object', properties: { a: false } },
  { type: 'object', properties: { a: { type: 'object', properties: { b: { const: 5 } } } } },
  { type: 'object', minProperties: 2, maxProperties: 1 },
  { type: 'object', additionalProperties: { type: 'zz' } },
  { type: ['string', 'null'] },
  { type: ['string', 'zz'] },
  { allOf: [{ type: 'string' }] },
  { allOf: [{ type: 'string' }, { minLength: 1 }] },
  { oneOf: [{ type: 'integer' }, { type: 'string' }] },
  { anyOf: [{ type: 'zz' }] },
  { enum: [] },
  { enum: [{ a: 1 }, null, 2.5] },
  { const: 'only' },
  { not: { type: 'string' } },
  { if: {}, else: {} },
  { $defs: { a: { type: 'zz' } }, type: 'integer' },
  { title: 'T', description: 'd', type: 'boolean', default: true },
];

/** A schema of any kind. */
export function anySchema(draw: Draw): unknown {
  return draw.pick<unknown>([...schemas, ...badSchemas, ...keywords]);
}

/** A schema as an object, valid or not. */
export function schemaObject(draw: Draw): object {
  return draw.pick<object>([...schemas, ...keywords]);
}

const regexes: readonly string[] = [
  ...['[a-c]{2}', '(', '', 'a\u0000', 'yes|no', '\\d{3}-\\d{4}', '^a$', '(?:a)+b?', '[^a]'],
  ...['(?=a)b', '(a)\\1', '\\bword', '(?i)a', '(?P<n>a)', '(?<n>a)', 'a{2,1}', 'a{,3}', 'a**'],
  ...['a++', '[z-a]', '[]', '\\p{L}+', '\\u4f60', 'é+', '(a|)', '[\\d-]', 'a{1000}', '*a', 'a)'],
];

const grammars: readonly string[] = [
  ...['root ::= "yes" | "no"', '', 'nonsense ((', 'root ::= [a-z]+', 'root ::= b', ' ', '5'],
  ...['root ::= b "x"\nb ::= "y"*', 'root ::= ("a" | "b"){2}', 'root ::= "\\q"', 'x ::= "a"'],
  ...['start: "a" | "b"', 'start: x\nx: /a+/', '?start: "a"', 'root: "a"', "root ::= 'a'"],
  ...['root ::= "a', 'root ::= ', 'root ::= (', '# only a comment', 'root ::= "ü" "🙂"'],
];

const aTag = { type: 'tag', begin: '<a>', content: { type: 'any_text' }, end: '</a>' };
const tagFormats: readonly unknown[] = [
  { type: 'const_string', value: 'x' },
  { type: 'const_string' },
  { type: 'json_schema', json_schema: { type: 'integer' } },
  { type: 'json_schema', json_schema: { type: 'zz' } },
  { type: 'json_schema', json_schema: 5 },
  { type: 'regex', pattern: 'a+' },
  { type: 'regex', pattern: '(' },
  { type: 'grammar', grammar: 'root ::= "a"' },
  { type: 'grammar', grammar: '((' },
  { type: 'any_text' },
  { type: 'sequence', elements: [{ type: 'const_string', value: 'x' }] },
  { type: 'sequence', elements: [] },
  { type: 'or', elements: [{ type: 'const_string', value: 'x' }, 5] },
  { type: 'star', content: { type: 'const_string', value: 'x' } },
  { type: 'optional', content: { type: 'nope' } },
  { type: 'repeat', content: { type: 'const_string', value: 'x' }, min: 1, max: 2 },
  aTag,
  { ...aTag, end: '' },
  { ...aTag, end: ['</a>', '</b>'] },
  { ...aTag, begin: 5 },
  { type: 'triggered_tags', triggers: ['<a'], tags: [aTag] },
  { type: 'triggered_tags', triggers: ['<b'], tags: [aTag] },
  { type: 'triggered_tags', triggers: [], tags: [aTag] },
  { type: 'tags_with_separator', tags: [aTag], separator: ',' },
  { type: 'tags_with_separator', tags: [aTag] },
  { type: 'x' },
  5,
  null,
];

const structure = { begin: '<f>', schema: { type: 'object' }, end: '</f>' };
const legacyTags: readonly object[] = [
  { structures: [], triggers: [] },
  { structures: [structure], triggers: ['<f'] },
  { structures: [structure], triggers: ['<g'] },
  { structures: [{ begin: '<f>', end: '</f>' }], triggers: ['<f'] },
  { structures: [{ ...structure, schema: { type: 'zz' } }], triggers: ['<f'] },
  { structures: [structure], triggers: ['<f', '<f>'] },
  { structures: 5, triggers: ['<f'] },
  {},
];

function tag(draw: Draw): object {
  const inner = draw.chance(0.6)
    ? { format: draw.pick(tagFormats) }
    : draw.pick<object>(legacyTags);
  return { type: 'structural_tag', ...inner };
}

/** Values of `response_format`. */
export const responseFormats: readonly unknown[] = [
  ...[null, { type: 'text' }, { type: 'json_object' }, { type: 'x' }, {}, 5, []],
  ...[{ type: 'json_schema' }, { type: 'json_schema', json_schema: {} }],
  { type: 'json_schema', json_schema: { name: 'n' } },
  { type: 'json_schema', json_schema: { name: 'n', schema: 5 } },
  { type: 'json_schema', json_schema: { name: 5, schema: {} } },
  { type: 'json_object', schema: { type: 'object' } },
  { type: 'text', json_schema: { name: 'n', schema: { type: 'integer' } } },
  tag,
  tag,
  (draw: Draw) => ({
    type: 'json_schema',
    json_schema: { name: 'n', schema: draw.pick(schemas), strict: draw.chance(0.5) },
  }),
  (draw: Draw) => ({ type: 'json_schema', json_schema: { name: 'n', schema: anySchema(draw) } }),
];

/** Values of `structured_outputs`. */
export const structuredOutputs: readonly unknown[] = [
  ...[null, {}, 5, 'x', [], { choice: ['alpha', 'beta'] }, { choice: [] }, { choice: 'x' }],
  ...[{ regex: 5 }, { json_object: true }, { json_object: false }, { choice: ['a'], regex: 'a' }],
  ...[{ json: { type: 'object' }, choice: ['a'] }, { structural_tag: '' }],
  ...[{ structural_tag: '{}' }, { choice: ['a'], whitespace_pattern: ' ' }, { unknown: 1 }],
  ...[
    { choice: ['a'], _backend: 'outlines' },
    { json: { a: 1 }, json_object: true },
  ],
  { json: { type: 'integer' }, disable_any_whitespace: 'x' },
  { json: { type: 'integer' }, disable_additional_properties: true },
  (draw: Draw) => ({ json: anySchema(draw) }),
  (draw: Draw) => ({ regex: draw.pick(regexes) }),
  (draw: Draw) => ({ grammar: draw.pick(grammars) }),
  (draw: Draw) => ({ structural_tag: JSON.stringify(tag(draw)) }),
  (draw: Draw) => ({ choice: draw.list(1, 4, () => draw.pick(['a', 'bb', 'ü', '"', ''])) }),
];
