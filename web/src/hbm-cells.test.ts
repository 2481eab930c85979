import assert from 'node:assert/strict';
import { test } from 'node:test';
import { cellAt, mapShape } from './hbm-cells.ts';

test('a thousand cells fit into the height, on a desktop and on a phone', () => {
  for (const width of [1200, 340]) {
    const shape = mapShape(1000, width, 160);
    assert.ok(shape.height <= 160, `${width}: ${shape.height}`);
    assert.ok(shape.columns * (shape.cell + shape.gap) - shape.gap <= width);
  }
  assert.equal(mapShape(2, 1200, 160).cell, 40);
});

test('a point belongs to the cell that is drawn there', () => {
  const shape = mapShape(10, 100, 160);
  const { columns, cell, gap } = shape;
  for (let index = 0; index < 10; index++) {
    const x = (index % columns) * (cell + gap) + cell / 2;
    const y = Math.floor(index / columns) * (cell + gap) + cell / 2;
    assert.equal(cellAt(shape, x, y), index);
  }
  assert.equal(cellAt(shape, -1, 0), undefined);
  assert.equal(cellAt(shape, 5, 10_000), undefined);
});
