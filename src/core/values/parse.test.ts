import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseValues } from './parse.ts';
import { problemLines } from './problem.ts';
import { placeAt, toPlain } from './tree.ts';

const plain = (text: string): unknown => toPlain(parseValues(text, 'my.yaml').tree);
const problems = (text: string): string[] => problemLines(parseValues(text, 'my.yaml').problems);

test('keeps line and column of every key and value', () => {
  const { tree } = parseValues('a:\n  b:\n    - c: 1\n    - d: two\n', 'my.yaml');
  assert.deepEqual(placeAt(tree, ['a', 'b', 1, 'd']), { source: 'my.yaml', line: 4, column: 10 });
  assert.deepEqual(placeAt(tree, ['a', 'b', 1, 'd'], 'key'), {
    source: 'my.yaml',
    line: 4,
    column: 7,
  });
});

test('the place of a path that was not written is that of the nearest enclosing value', () => {
  const { tree } = parseValues('a:\n  b: 1\n', 'my.yaml');
  assert.deepEqual(placeAt(tree, ['a', 'x', 'y']), { source: 'my.yaml', line: 2, column: 3 });
});

test('parses a file without values as an empty map', () => {
  for (const text of ['', '# nothing\n', '---\n', 'null\n', '{}']) {
    assert.deepEqual(plain(text), {}, text);
    assert.deepEqual(problems(text), [], text);
  }
});

test('reads plain scalars as Helm does', () => {
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

test('reads keys as written, even if they look like booleans or numbers', () => {
  assert.deepEqual(plain('on: 1\n8000: 2\nnull: 3\n'), { on: 1, 8000: 2, null: 3 });
});

test('expands anchors, aliases and merge keys; explicit keys take precedence', () => {
  const text =
    'base: &b {x: 1, y: 2}\nmore: &m {y: 3, z: 4}\nuse:\n  <<: [*b, *m]\n  x: 9\nsame: *b\n';
  assert.deepEqual(plain(text), {
    base: { x: 1, y: 2 },
    more: { y: 3, z: 4 },
    use: { x: 9, y: 2, z: 4 },
    same: { x: 1, y: 2 },
  });
});

test('reports a duplicate key with its path and the line of the first', () => {
  assert.deepEqual(problems('routerSpec:\n  tag: a\n  repository: r\n  tag: b\n'), [
    'my.yaml:4:3: routerSpec.tag is set twice, first on line 2; keep one of them.',
  ]);
});

test('reports invalid YAML in one sentence with its place', () => {
  const table: [string, RegExp][] = [
    ['a: [1, 2\n', /^my\.yaml:\d+:\d+: not valid YAML: flow sequence .*\.$/],
    ['a:\n\tb: 1\n', /^my\.yaml:2:1: not valid YAML: a tab cannot be used for indentation/],
    ['a: 1\n---\nb: 2\n', /^my\.yaml:2:1: not valid YAML: a values file has one document; /],
    ['a: b: c\n', /^my\.yaml:1:4: not valid YAML: nested mappings are not allowed/],
    ['a: *nowhere\n', /^my\.yaml:1:4: \*nowhere does not name an anchor above it\.$/],
    ['a: !!python/object x\n', /^my\.yaml:1:4: not valid YAML: unresolved tag/],
    ['- a\n- b\n', /^my\.yaml:1:1: the file must contain a map of keys\.$/],
    ['just text', /^my\.yaml:1:1: the file must contain a map of keys\.$/],
    ['? [a]\n: 1\n', /^my\.yaml:1:3: a key must be a text, not a list or a map; .*\.$/],
    ['<<: 5\n', /^my\.yaml:1:5: << must name a map, or a list of maps\.$/],
    ['__proto__: {a: 1}\n', /^my\.yaml:1:1: __proto__ cannot be used as a key\.$/],
  ];
  for (const [text, expected] of table) {
    const lines = problems(text);
    assert.equal(lines.length, 1, JSON.stringify({ text, lines }));
    assert.match(lines[0] ?? '', expected);
  }
});

test('refuses a file whose aliases multiply its size before it fills the memory', () => {
  const levels = Array.from({ length: 12 }, (_, level) =>
    level === 0 ? 'l0: &l0 [x]' : `l${level}: &l${level} [${`*l${level - 1},`.repeat(12)}]`,
  );
  assert.match(
    problems(levels.join('\n'))[0] ?? '',
    /more than 100000 values once anchors are expanded/,
  );
});

test('a redefined anchor applies from there on', () => {
  const text = 'a: &x {v: 1}\nb: &y {w: *x}\nc: &x {v: 2}\nd: *x\ne: *y\nf: *x\n';
  const old = { v: 1 };
  const now = { v: 2 };
  assert.deepEqual(plain(text), { a: old, b: { w: old }, c: now, d: now, e: { w: old }, f: now });
});

test('refuses an anchor that contains itself', () => {
  assert.match(problems('a: &a\n  b: *a\n')[0] ?? '', /not valid YAML|contains itself/);
});

test('braces that nest too deeply for the reader of its tokens are one problem, too', () => {
  const said = problems(`{${'"a":'.repeat(20_000)}}`);
  assert.equal(said.length, 1);
  assert.match(said[0] ?? '', /^my\.yaml:1:1: not valid YAML: it is nested too deeply\.$/);
});

test('of a file that is nothing but errors, the first hundred are reported', () => {
  const said = problems(`a: 1\n${']'.repeat(200_000)}`);
  assert.match(said.at(-1) ?? '', /80 more/);
  assert.match(said[0] ?? '', /^my\.yaml:2:1: not valid YAML: /);
});

test('a file that is nested too deeply for the parser is reported in one sentence', () => {
  const said = problems(`a: ${'['.repeat(20_000)}${']'.repeat(20_000)}\n`);
  assert.equal(said.length, 1, said.join('\n'));
  assert.match(said[0] ?? '', /^my\.yaml:1:\d+: not valid YAML: it is nested too deeply\.$/);
});

test('parses a hundred levels, and refuses one more in one sentence', () => {
  const nested = (levels: number) => `${'{a: '.repeat(levels)}1${'}'.repeat(levels)}`;
  assert.deepEqual(problems(nested(100)), []);
  assert.deepEqual(problems(nested(101)), [
    'my.yaml:1:405: nested deeper than 100 levels, or an anchor that contains itself.',
  ]);
  const merged = (levels: number) => `${'{<<: '.repeat(levels)}{a: 1}${'}'.repeat(levels)}`;
  assert.deepEqual(problems(merged(99)), []);
  assert.equal(problems(merged(100)).length, 1);
  const list = (levels: number) => `a: ${'['.repeat(levels)}1${']'.repeat(levels)}`;
  assert.deepEqual(problems(list(99)), []);
  assert.equal(problems(list(100)).length, 1);
});

test('reports a problem once, even if an alias repeats it', () => {
  assert.deepEqual(problems('a: &x {b: 1, b: 2}\nc: *x\nd: *x\n'), [
    'my.yaml:1:14: a.b is set twice, first on line 1; keep one of them.',
  ]);
});

test('reports the message of the YAML parser without its hints', () => {
  assert.deepEqual(problems('a: b: c\n'), [
    'my.yaml:1:4: not valid YAML: nested mappings are not allowed in compact mappings.',
  ]);
});

test('problems are told in the order of the file', () => {
  const { problems } = parseValues('a: *x\nb: *y\nc: *z\n', 'my.yaml');
  assert.deepEqual(
    problems.map(({ place }) => place.line),
    [1, 2, 3],
  );
});
