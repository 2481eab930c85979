import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ChainWatch } from './chain-watch.ts';

test('lookups up to the first miss are a chain, and so are loads and stores', () => {
  const links: string[] = [];
  const watch = new ChainWatch((key, before) => links.push(`${before}>${key}`));
  watch.saw('look up', 'a0');
  watch.saw('look up', 'a1');
  watch.saw('look up', 'a2', false);
  watch.saw('look up', 'b0', false);
  watch.saw('load', 'a0');
  watch.saw('load', 'a1');
  watch.saw('store', 'a2');
  watch.saw('store', 'a3');
  watch.saw('look up', 'c0');
  assert.deepEqual(links, ['a0>a1', 'a1>a2', 'a0>a1', 'a2>a3']);
});
