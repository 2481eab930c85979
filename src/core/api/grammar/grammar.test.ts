// What xgrammar 0.2 accepts and refuses, according to vLLM 0.32.0's own checks.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { grammarInstance } from './grammar-instance.ts';
import { regexInstance } from './regex-instance.ts';
import { schemaFault } from './schema-fault.ts';
import { isTagText } from './structural-tag.ts';

test('generates a text that matches the regex', () => {
  for (const pattern of [
    'one two STOP three',
    '(yes|no), [0-9]{2}',
    '\\d+\\.\\d{2,}',
    '[^a]b?c+(?:d|e)*',
    '[A-Z][a-z]{3}',
    '[^\\d\\w] [\\]-]\\x41\\u0042',
    'a|',
    '(?<name>x){3}',
    '🙂+[😀-😂]',
  ]) {
    assert.match(regexInstance(pattern), new RegExp(`^(?:${pattern})$`, 'u'), pattern);
  }
});

test('refuses a regex that xgrammar does not support', () => {
  const refused = `( a) [ [] [a a{2,1} a{,3} a{ a{x} a** *a (?=a)b (?!a)b (?<=a)b (?P<n>a) (?i)a \\1
    (a)\\1 \\b \\Bx \\p{L} [z-a] \\ \\c (?#c)a a++ (?>a) (?: (? (*a) x{1}{2} \\k<n> { \\x4 \\u12 ))`;
  for (const pattern of refused.split(/\s+/)) {
    assert.throws(
      () => regexInstance(pattern),
      /Failed to transform regex into a grammar/,
      pattern,
    );
  }
  const taken = '[^] a{2,} a+? |a () (?:a) ^a$ a^b \\z \\A [\\d-a] [[:alpha:]] a{0} \\cA } ] a]';
  for (const pattern of taken.split(' ')) regexInstance(pattern);
});

test('generates the first text of a grammar’s first rule, in either notation', () => {
  assert.equal(grammarInstance('root ::= "yes" | "no"'), 'yes');
  assert.equal(grammarInstance('root ::= b ws "x"\nws ::= [ \\t]*\nb ::= "\\x41" [a-z]+'), 'Aax');
  assert.equal(grammarInstance('# comment\nroot ::= ("a" | "b"){2} "c"? # end'), 'aa');
  assert.equal(grammarInstance('root ::= root'), '');
  assert.equal(grammarInstance('start: x /b+/\nx: "a"'), 'ab');
  assert.equal(grammarInstance('%import common.WORD\nstart: WORD'), 'a');
  for (const grammar of [
    ...['root ::= b', 'x ::= "a"', 'nonsense ((', 'root ::= ', 'root ::= "a', 'root ::= "\\q"'],
    ...['root ::= (', 'root ::= {"a"}', 'root ::= "a";', 'root ::= "a" | ', 'start: x', ' ', '5'],
    ...['root ::= "a"\nroot ::= "b"', "root ::= 'a'", 'root: "a"', 'start ::= "a"'],
  ]) {
    assert.throws(() => grammarInstance(grammar), /Invalid grammar specification/, grammar);
  }
});

test('refuses a schema that cannot be turned into a grammar', () => {
  const refused: readonly object[] = [
    { type: 'no-such-type' },
    { type: ['string', 'x'] },
    { $ref: '#/nowhere' },
    { enum: [] },
    { anyOf: [{ type: 'zz' }] },
    { type: 'string', minLength: 5, maxLength: 2 },
    { type: 'string', pattern: '(' },
    { type: 'integer', minimum: 5, maximum: 2 },
    { type: 'integer', exclusiveMinimum: 3, exclusiveMaximum: 4 },
    { type: 'integer', minimum: 1e30 },
    { type: 'array', minItems: 3, maxItems: 1 },
    { type: 'array', items: false, minItems: 1 },
    { type: 'object', properties: { a: 5 } },
    { type: 'object', required: 'b' },
    { type: 'object', maxProperties: 1, properties: { a: {}, b: {} }, required: ['a', 'b'] },
    { $defs: { a: { type: 'zz' } }, $ref: '#/$defs/a' },
  ];
  for (const schema of refused) assert.ok(schemaFault(schema, 'auto'), JSON.stringify(schema));
  const taken: readonly object[] = [
    { type: [] },
    { $ref: '#' },
    { anyOf: [] },
    { not: {} },
    { definitions: { a: { type: 'zz' } } },
    { type: 'object', required: ['b'] },
    { type: 'string', minLength: 3, enum: ['a'] },
  ];
  for (const schema of taken) assert.equal(schemaFault(schema, 'xgrammar'), undefined);
});

test('refuses what xgrammar cannot enforce, unless guidance may be used', () => {
  for (const schema of [
    { type: 'integer', multipleOf: 3 },
    { type: 'string', pattern: 'a', maxLength: 3 },
    { allOf: [{ type: 'string' }, { minLength: 1 }] },
    { type: 'object', patternProperties: { '^a': {} }, properties: { a: {} } },
  ]) {
    assert.match(String(schemaFault(schema, 'xgrammar')), /features not supported by xgrammar/);
    assert.equal(schemaFault(schema, 'auto'), undefined);
  }
});

test('accepts a structural tag only if all its parts are valid', () => {
  const tag = (format: object) => isTagText(JSON.stringify({ format }));
  const one = { type: 'tag', begin: '<a>', content: { type: 'any_text' }, end: '</a>' };
  assert.ok(tag(one));
  assert.ok(tag({ ...one, end: ['</a>', '</b>'] }));
  assert.ok(tag({ type: 'triggered_tags', triggers: ['<a'], tags: [one] }));
  assert.ok(tag({ type: 'star', content: { type: 'const_string', value: 'x' } }));
  assert.ok(!tag({ ...one, end: '' }));
  assert.ok(!tag({ type: 'triggered_tags', triggers: ['<a', '<a>'], tags: [one] }));
  assert.ok(!tag({ type: 'json_schema', json_schema: { type: 'zz' } }));
  assert.ok(!tag({ type: 'regex', pattern: '(' }));
  assert.ok(!tag({ type: 'sequence', elements: [] }));
});

test('patterns and grammars that multiply have a bounded text', () => {
  assert.ok(regexInstance('(((a{9999}){9999}){9999}){9999}').length <= 100_000);
  assert.ok(regexInstance('a{9999}'.repeat(10_000)).length <= 100_000);
  const levels = Array.from({ length: 60 }, (_, i) => `r${i} ::= r${i + 1} r${i + 1}`);
  const doubling = ['root ::= r0', ...levels, 'r60 ::= "a"'].join('\n');
  assert.ok(grammarInstance(doubling).length <= 10_000);
  assert.ok(grammarInstance('root ::= ("a"{9999}){9999}').length <= 10_000);
});

test('patterns and grammars that nest without end are refused', () => {
  assert.throws(() => regexInstance('('.repeat(100_000)), /nested too deeply/);
  for (const read of [regexInstance, (text: string) => grammarInstance(`root ::= ${text}`)]) {
    assert.throws(() => read('('.repeat(60_000)), { name: 'ApiError' });
    assert.throws(() => read(`${'('.repeat(600)}"a"${')'.repeat(600)}`), { name: 'ApiError' });
  }
});

test('a grammar of empty lines is read in linear time', () => {
  const startMs = process.cpuUsage().user / 1000;
  assert.equal(grammarInstance(`start: x${'\n'.repeat(60_000)}x: "a"`), 'a');
  assert.ok(process.cpuUsage().user / 1000 - startMs < 3_000, 'quadratic work took 30 s');
});

test('a long pattern of escapes is read in linear time', () => {
  const startMs = performance.now();
  assert.equal(regexInstance('\\u0041'.repeat(20_000)).length, 20_000);
  assert.ok(performance.now() - startMs < 2_000, 'quadratic work took 10 s');
});

test('a grammar of more than 65,536 characters is refused before it is read', () => {
  const long = (length: number) => `root ::= "${'a'.repeat(length - 11)}"`;
  assert.equal(grammarInstance(long(65_536)).length, 65_525);
  assert.throws(
    () => grammarInstance(long(65_537)),
    /65537 characters; this engine takes at most 65536/,
  );
});
