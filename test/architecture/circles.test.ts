// Checks that no files of src import each other in a circle, so that each can be read, and moved, after what it uses.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { imports } from './source-imports.ts';

test('no files import each other in a circle', () => {
  assert.deepEqual(circles(), []);
});

/** Groups of files that reach each other, by Tarjan's algorithm: each as sorted paths. */
function circles(): string[][] {
  const edges = new Map<string, string[]>();
  for (const { file, target } of imports) {
    if (target === undefined || file.endsWith('.test.ts')) continue;
    edges.set(file, [...(edges.get(file) ?? []), target]);
  }
  const found: string[][] = [];
  const order = new Map<string, number>();
  const lowest = new Map<string, number>();
  const open: string[] = [];
  const visit = (file: string): number => {
    order.set(file, order.size);
    let low = order.size - 1;
    open.push(file);
    for (const next of edges.get(file) ?? []) {
      if (!order.has(next)) low = Math.min(low, visit(next));
      else if (open.includes(next)) low = Math.min(low, order.get(next) ?? low);
    }
    lowest.set(file, low);
    if (low === order.get(file)) {
      const group = open.splice(open.indexOf(file));
      if (group.length > 1) found.push(group.sort());
    }
    return low;
  };
  for (const file of edges.keys()) if (!order.has(file)) visit(file);
  return found;
}
