// Links of the documentation: each leads to a file that exists, and each guide is reached from the index.
import assert from 'node:assert/strict';
import { existsSync, globSync, readFileSync, statSync } from 'node:fs';
import { dirname, join, normalize } from 'node:path';
import { test } from 'node:test';

const root = join(import.meta.dirname, '..', '..');

/** Files and folders that a page links to, relative to the root; what is on the web is left out. */
function linksOf(page: string): string[] {
  const prose = readFileSync(join(root, page), 'utf8').replace(/^(```|~~~)[\s\S]*?^\1/gm, '');
  return [...prose.matchAll(/\]\(([^)\s]+)\)/g)]
    .map(([, target = '']) => target.replace(/#.*$/, ''))
    .filter((target) => target !== '' && !/^[a-z]+:/.test(target))
    .map((target) => normalize(join(dirname(page), target)).replace(/\/$/, ''));
}

for (const page of globSync(['*.md', 'docs/**/*.md'], { cwd: root })) {
  test(`${page} links to what exists`, () => {
    assert.deepEqual(
      linksOf(page).filter((target) => !existsSync(join(root, target))),
      [],
    );
  });
}

test('every page of docs/guide is reached from its index', () => {
  const index = 'docs/guide/README.md';
  const reached = new Set([index]);
  for (const page of reached) {
    for (const target of linksOf(page)) {
      const isFolder = existsSync(join(root, target)) && statSync(join(root, target)).isDirectory();
      const linked = isFolder ? join(target, 'README.md') : target;
      if (linked.startsWith('docs/guide/') && linked.endsWith('.md')) reached.add(linked);
    }
  }
  const pages = globSync('docs/guide/**/*.md', { cwd: root });
  assert.deepEqual(
    pages.filter((page) => !reached.has(page)),
    [],
  );
  const direct = new Set([index, ...linksOf(index)]);
  const guides = globSync(['docs/guide/*.md', 'docs/guide/plan/*.md'], { cwd: root });
  assert.deepEqual(
    guides.filter((guide) => !direct.has(guide)),
    [],
  );
});
