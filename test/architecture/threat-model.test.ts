// Each attack and accident of the threat model names the test that holds its bound.
import assert from 'node:assert/strict';
import { globSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';

const root = join(import.meta.dirname, '../..');
const page = 'docs/guide/threat-model.md';
/** Tables without a column for a test in each row: who attacks, and what Spillway is not trusted with. */
const named = /^\| (attack|accident|target) \|/;

test('each row of the threat model names a test that exists', async () => {
  const tests = globSync(['src/**/*.test.ts', 'test/**/*.test.ts'], { cwd: root });
  const lines = (await readFile(join(root, page), 'utf8')).split('\n');
  const rows = lines.flatMap((line, index) => {
    const isRow = line.startsWith('| ') && !named.test(line);
    return isRow && named.test(tableHead(lines, index)) ? [line] : [];
  });
  assert.ok(rows.length > 50);
  const faults = rows.flatMap((row) => {
    const last = row.split('|').at(-2) ?? '';
    const names = [...last.matchAll(/`(\w[\w-]*\/[\w/-]+|[\w/-]+\.test\.ts)`/g)].map(
      ([, name = '']) => `/${name.replace(/\.test\.ts$/, '')}.test.ts`,
    );
    const absent = names.filter((name) => !tests.some((path) => `/${path}`.endsWith(name)));
    return names.length === 0 || absent.length > 0 ? [row.slice(0, 60)] : [];
  });
  assert.deepEqual(faults, []);
});

/** The first line of the table that a line is in. */
function tableHead(lines: readonly string[], index: number): string {
  let first = index;
  while (lines[first - 1]?.startsWith('|')) first -= 1;
  return lines[first] ?? '';
}
