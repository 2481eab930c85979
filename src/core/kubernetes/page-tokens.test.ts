import assert from 'node:assert/strict';
import { test } from 'node:test';
import { PageTokens, pagesMax } from './page-tokens.ts';

test('pages follow each other until one has no next', () => {
  const pages = new PageTokens();
  assert.deepEqual(
    [pages.next('a'), pages.next('b'), pages.next(undefined)],
    ['a', 'b', undefined],
  );
});

test('a page that comes again, also after others, ends the list with a sentence', () => {
  const pages = new PageTokens();
  pages.next('a');
  pages.next('b');
  assert.throws(() => pages.next('a'), /sends the same page of a list again and again/);
});

test('a list that goes on for ever ends at the bound', () => {
  const pages = new PageTokens();
  for (let page = 1; page < pagesMax; page++) pages.next(String(page));
  assert.throws(() => pages.next('more'), /more than 1000 pages/);
});
