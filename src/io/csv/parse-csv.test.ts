import assert from 'node:assert/strict';
import { test } from 'node:test';
import { InputError, type TextTable } from '../../core/base/index.ts';
import { parseCsv } from './index.ts';

test('returns columns and rows with the lines they start on', async () => {
  assert.deepEqual(await parseCsv('a,b\n1,2\n\n,\n3,4\n', 'f.csv'), {
    source: 'f.csv',
    columns: ['a', 'b'],
    rows: [
      { line: 2, cells: ['1', '2'] },
      { line: 5, cells: ['3', '4'] },
    ],
  } satisfies TextTable);
});

test('accepts commas, quotes and line ends in a quoted cell, and counts the lines', async () => {
  const { rows } = await parseCsv('a,b\n"x, ""y""","1\r\n2"\n3,4\n', 'f.csv');
  assert.deepEqual(rows, [
    { line: 2, cells: ['x, "y"', '1\n2'] },
    { line: 4, cells: ['3', '4'] },
  ]);
});

test('accepts a byte-order mark, blanks around cells and any line end', async () => {
  const { columns, rows } = await parseCsv('\uFEFF"a", b\r 1 ,"2"\r\n3,4', 'f.csv');
  assert.deepEqual(columns, ['a', 'b']);
  assert.deepEqual(
    rows.map(({ cells }) => cells),
    [
      ['1', '2'],
      ['3', '4'],
    ],
  );
});

test('keeps the length of each row, and returns no columns for an empty text', async () => {
  const { rows } = await parseCsv('a,b\n1\n1,2,3\n', 'f.csv');
  assert.deepEqual(
    rows.map(({ cells }) => cells.length),
    [1, 3],
  );
  assert.deepEqual(await parseCsv('', 'f.csv'), { source: 'f.csv', columns: [], rows: [] });
});

test('refuses a misplaced quote, and names file and line', async () => {
  const cases: readonly (readonly [string, RegExp])[] = [
    ['a,b\n1,2\nx"y,3\n', /^f\.csv:3: Invalid Opening Quote/],
    ['a,b\n"x"y,3\n', /^f\.csv:2: Invalid Closing Quote/],
    ['a,b\n1,2\n"x,3\n4,5\n', /^f\.csv:\d: Quote Not Closed/],
    [`a,b\n"${'x'.repeat(2_000_000)}`, /^f\.csv:2: Max Record Size/],
  ];
  for (const [text, message] of cases) {
    await assert.rejects(
      parseCsv(text, 'f.csv'),
      (error) => error instanceof InputError && message.test(error.message),
    );
  }
});
