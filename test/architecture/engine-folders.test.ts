// Checks every import within apps/engine against the table of its folders in docs/ARCHITECTURE.md.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { describe, files, imports, tableOf } from './source-imports.ts';

const room = 'apps/engine/';
const table = tableOf('Inside the embedded engine');
const folders = [...table.keys()];
const inside = imports.filter(
  ({ file, target }) =>
    file.startsWith(room) && target?.startsWith(room) && !file.endsWith('.test.ts'),
);

test('the table names every folder of the embedded engine, and no other', () => {
  const own = files.filter((file) => file.startsWith(room));
  assert.deepEqual(folders.toSorted(), [...new Set(own.map(folderOf))].toSorted());
});

test('imports within the embedded engine follow the table of its folders', () => {
  const wrong = inside.filter(({ file, target = '' }) => {
    const [from, to] = [folderOf(file), folderOf(target)];
    return from !== to && from !== '*.ts' && !table.get(from)?.includes(to);
  });
  assert.deepEqual(wrong.map(describe), []);
});

test('a folder imports only folders above it in the table, so arrows run one way', () => {
  const upward = folders.flatMap((folder, row) =>
    (table.get(folder) ?? [])
      .filter((other) => !folders.slice(0, row).includes(other))
      .map((other) => `${folder} may import ${other}, which does not stand above it`),
  );
  assert.deepEqual(upward, []);
});

test('every permission in the table is used', () => {
  const used = new Set(
    inside.map(({ file, target = '' }) => `${folderOf(file)} imports ${folderOf(target)}`),
  );
  const unused = folders.flatMap((folder) =>
    (table.get(folder) ?? [])
      .map((other) => `${folder} imports ${other}`)
      .filter((permission) => !used.has(permission)),
  );
  assert.deepEqual(unused, []);
});

/** The first folder below apps/engine; of files directly there, their own row or `*.ts`. */
function folderOf(path: string): string {
  const [first = '', second] = path.slice(room.length).split('/');
  return second !== undefined || table.has(first) ? first : '*.ts';
}
