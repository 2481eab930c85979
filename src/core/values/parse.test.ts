import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseValues } from './parse.ts';
import { problemLines } from './problem.ts';
import { placeAt, toPlain } from './tree.ts';

const plain = (text: string): unknown => toPlain(parseValues(text, 'my.yaml').tree);
const problems = (text: string): string[] => problemLines(parseValues(text, 'my.yaml').problems);

test('every key and value knows its line and column', () => {
  const { tree } = parseValues('a:\n  b:\n    - c: 1\n    - d: two\n', 'my.yaml');
  assert.deepEqual(placeAt(tree, ['a', 'b', 1, 'd']), { source: 'my.yaml', line: 4, column: 10 });
  assert.deepEqual(placeAt(tree, ['a', 'b', 1, 'd'], 'key'), {
    source: 'my.yaml',
    line: 4,
    column: 7,
  });
});

test('a path that was never written is placed at the nearest value around it', () => {
  const { tree } = parseValues('a:\n  b: 1\n', 'my.yaml');
  assert.deepEqual(placeAt(tree, ['a', 'x', 'y']), { source: 'my.yaml', line: 2, column: 3 });
});

test('a file without values is an empty map', () => {
  for (const text of ['', '# nothing\n', '---\n', 'null\n', '{}']) {
    assert.deepEqual(plain(text), {}, text);
    assert.deepEqual(problems(text), [], text);
  }
});

test('plain scalars mean what they mean to Helm', () => {
  const text = 'a: yes\nb: Off\nc: "yes"\nd: 0644\ne: 1_000\nf: 2025-05-27\ng: 1.0\nh: ~\ni: n';
  assert.deepEqual(plain(text), {
    a: true,
    b: false,
    c: 'yes',
    d: 420,
    e: 1000,
    f: '2025-05-27',
    g: 1,
    h: null,
    i: false,
  });
});

test('keys are taken as written, also where they would be booleans or numbers', () => {
  assert.deepEqual(plain('on: 1\n8000: 2\nnull: 3\n'), { on: 1, 8000: 2, null: 3 });
});

test('anchors, aliases and merge keys are expanded; own keys win', () => {
  const text =
    'base: &b {x: 1, y: 2}\nmore: &m {y: 3, z: 4}\nuse:\n  <<: [*b, *m]\n  x: 9\nsame: *b\n';
  assert.deepEqual(plain(text), {
    base: { x: 1, y: 2 },
    more: { y: 3, z: 4 },
    use: { x: 9, y: 2, z: 4 },
    same: { x: 1, y: 2 },
  });
});

test('a duplicate key is named with its path and the line of the first', () => {
  assert.deepEqual(problems('routerSpec:\n  tag: a\n  repository: r\n  tag: b\n'), [
    'my.yaml:4:3: routerSpec.tag is set twice, first on line 2; keep one of them.',
  ]);
});

test('what is not YAML is said in one sentence with its place', () => {
  const table: [string, RegExp][] = [
    ['a: [1, 2\n', /^my\.yaml:\d+:\d+: not valid YAML: flow sequence .*\.$/],
    ['a:\n\tb: 1\n', /^my\.yaml:2:1: not valid YAML: a tab cannot be used for indentation/],
    ['a: 1\n---\nb: 2\n', /^my\.yaml:2:1: not valid YAML: a values file has one document; /],
    ['a: b: c\n', /^my\.yaml:1:4: not valid YAML: nested mappings are not allowed/],
    ['a: *nowhere\n', /^my\.yaml:1:4: \*nowhere names no anchor above it\.$/],
    ['a: !!python/object x\n', /^my\.yaml:1:4: not valid YAML: unresolved tag/],
    ['- a\n- b\n', /^my\.yaml:1:1: the file must hold a map of keys\.$/],
    ['just text', /^my\.yaml:1:1: the file must hold a map of keys\.$/],
    ['? [a]\n: 1\n', /^my\.yaml:1:3: a key must be a text, not a list or a map\.$/],
    ['<<: 5\n', /^my\.yaml:1:5: << must name a map, or a list of maps\.$/],
    ['__proto__: {a: 1}\n', /^my\.yaml:1:1: __proto__ cannot be used as a key\.$/],
  ];
  for (const [text, expected] of table) {
    const lines = problems(text);
    assert.equal(lines.length, 1, JSON.stringify({ text, lines }));
    assert.match(lines[0] ?? '', expected);
  }
});

test('a file that multiplies by aliases is refused before it fills the memory', () => {
  const levels = Array.from({ length: 12 }, (_, level) =>
    level === 0 ? 'l0: &l0 [x]' : `l${level}: &l${level} [${`*l${level - 1},`.repeat(12)}]`,
  );
  assert.match(
    problems(levels.join('\n'))[0] ?? '',
    /more than 100000 values once anchors are expanded/,
  );
});

test('an anchor that is given again counts from there on', () => {
  const text = 'a: &x {v: 1}\nb: &y {w: *x}\nc: &x {v: 2}\nd: *x\ne: *y\nf: *x\n';
  const old = { v: 1 };
  const now = { v: 2 };
  assert.deepEqual(plain(text), { a: old, b: { w: old }, c: now, d: now, e: { w: old }, f: now });
});

test('an anchor that contains itself is refused', () => {
  assert.match(problems('a: &a\n  b: *a\n')[0] ?? '', /not valid YAML|contains itself/);
});
