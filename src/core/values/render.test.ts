import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseValues } from './parse.ts';
import { renderValues } from './render.ts';
import { fromPlain } from './tree.ts';

const again = (text: string): string => renderValues(parseValues(text, 'my.yaml').tree);

test('prints a file with its comments in their places', () => {
  const text = `# What this file is for.

# The first key.
a:
  # One below.
  b: 1 # beside a value
  c: two
# A list.
list:
  - x # beside an item
  # Above an item.
  - z: 1
`;
  assert.equal(again(text), text);
});

test('keeps comments before the document and before its map, one after the other', () => {
  assert.equal(
    again('# of the file\n---\n# of the map\n{a: 1}\n'),
    '# of the file\n\n# of the map\n\na: 1\n',
  );
  assert.equal(again('# of the file\n\n{a: 1}\n'), '# of the file\n\na: 1\n');
});

test('prints empty values on one line, everything else on several', () => {
  assert.equal(
    again('a: {}\nb: []\nc: {d: [1, 2]}\n'),
    'a: {}\nb: []\nc:\n  d:\n    - 1\n    - 2\n',
  );
  assert.equal(again(''), '{}\n');
});

test('quotes texts that a YAML parser would read as another type, and does not fold lines', () => {
  const data = { a: 'yes', b: '1.0', c: 'null', d: 'plain', e: true, f: 'word '.repeat(40).trim() };
  assert.equal(
    renderValues(fromPlain(data, { source: 'test' })),
    `a: "yes"\nb: "1.0"\nc: "null"\nd: plain\ne: true\nf: ${data.f}\n`,
  );
});
