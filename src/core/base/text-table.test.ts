import assert from 'node:assert/strict';
import { test } from 'node:test';
import { InputError, numberInCell, selectColumns, type TextTable } from './index.ts';

const table: TextTable = {
  source: 'steps.csv',
  columns: ['a', 'b', 'c'],
  rows: [
    { line: 2, cells: ['1', '2', '3'] },
    { line: 4, cells: ['4', '', '6', '7'] },
  ],
};

test('columns are selected by name, in the order of the request', () => {
  assert.deepEqual(selectColumns(table, ['c', 'a']), [
    { line: 2, cells: ['3', '1'] },
    { line: 4, cells: ['6', '4'] },
  ]);
});

test('reports a missing column with the existing ones, and an empty cell with its line', () => {
  assert.throws(() => selectColumns(table, ['a', 'd']), {
    ...{
      name: InputError.name,
      message: 'steps.csv has no column "d"; it needs a, d and has a, b, c',
    },
  });
  assert.throws(() => selectColumns(table, ['b']), /^InputError: steps\.csv line 4 is short/);
});

test('a cell must be a finite number', () => {
  assert.equal(numberInCell('1.5e3', 'steps.csv:2'), 1500);
  for (const cell of ['fast', 'NaN', 'Infinity', '1,5']) {
    assert.throws(() => numberInCell(cell, 'steps.csv:2'), /^InputError: steps\.csv:2 has/);
  }
});
