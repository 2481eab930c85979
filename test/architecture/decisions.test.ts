// Decisions: each says after its title whether it holds and since when, and the index says the same.
import assert from 'node:assert/strict';
import { globSync, readFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { test } from 'node:test';

const folder = join(import.meta.dirname, '..', '..', 'docs', 'decisions');
const index = readFileSync(join(folder, 'README.md'), 'utf8');
const files = globSync('[0-9]*.md', { cwd: folder }).toSorted();

test('there are decisions', () => assert.ok(files.length >= 38));

for (const file of files) {
  test(`${file} has its number, its status and a row in the index`, () => {
    const [title = '', , status = '', after] = readFileSync(join(folder, file), 'utf8').split('\n');
    const number = basename(file).slice(0, 4);
    assert.ok(title.startsWith(`# ${number}: `), title);
    const [, word] = /^Status: (.+), \d{4}-\d{2}-\d{2}\.$/.exec(status) ?? [];
    assert.ok(word !== undefined, `the third line is a status with its date: ${status}`);
    assert.equal(after, '');
    const row = index.split('\n').find((line) => line.includes(`](${file})`));
    assert.ok(row?.endsWith(`| ${word} |`), `${row}`);
  });
}
