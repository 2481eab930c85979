import assert from 'node:assert/strict';
import { test } from 'node:test';
import { loadTokenizer } from '../../../io/tokenizers/index.ts';
import { wordListOf } from './word-list.ts';

test('synthetic text has no word that a demonstration would be ashamed of', async () => {
  const tokenizer = await loadTokenizer();
  const { words, openers, capitals } = wordListOf(tokenizer);
  const texts = [...words, ...openers, ...capitals].map((id) =>
    tokenizer.tokenText(id)?.trim().toLowerCase(),
  );

  assert.ok(texts.includes('world'));
  for (const word of ['sex', 'ass', 'porn', 'fuck', 'tit']) assert.ok(!texts.includes(word), word);
});
