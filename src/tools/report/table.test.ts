import assert from 'node:assert/strict';
import { test } from 'node:test';
import { htmlTable, markdownTable, textTable } from './index.ts';

const table = {
  head: ['engine', 'requests'],
  rows: [
    ['a|<b>', '7'],
    ['long-name', '1,000'],
  ],
};

test('on a terminal, columns are as wide as their longest cell and stand apart', () => {
  assert.equal(textTable(table), 'engine     requests\na|<b>             7\nlong-name     1,000');
  assert.equal(
    textTable(table, { isLeft: () => true, gap: 1, widthsMin: [10, 4] }),
    'engine     requests\na|<b>      7\nlong-name  1,000',
  );
  assert.equal(textTable({ head: ['a', 'b'], rows: [] }, { widthsMin: [3] }), 'a      b');
});

test('in Markdown, a bar or a line end in a cell does not end it', () => {
  assert.equal(
    markdownTable({ ...table, rows: [['a|b', 'c\nd']] }),
    '| engine | requests |\n| --- | --: |\n| a\\|b | c d |',
  );
});

test('in HTML, cells are escaped', () => {
  assert.match(
    htmlTable(table).toString(),
    /<th>requests<\/th>.*<td>a\|&lt;b&gt;<\/td><td>7<\/td>/,
  );
});
