import assert from 'node:assert/strict';
import { test } from 'node:test';
import { openModelTokenizer } from './model-tokenizer.ts';

test('a tokenizer by a name of the hub that is not here has a stand-in, and a note', async () => {
  const opened = await openModelTokenizer({
    model: 'Qwen/Qwen3-8B',
    tokenizer: 'mistralai/Mistral-7B-Instruct-v0.3',
  });
  assert.equal(opened.isStandIn, true);
  assert.match(opened.note ?? '', /^The tokenizer mistralai\/\S+ is not on this machine.*Qwen3's/);
  const own = await openModelTokenizer({ model: 'x', tokenizer: 'Qwen/Qwen3-0.6B' });
  assert.deepEqual([own.isStandIn, own.note], [false, undefined]);
  await assert.rejects(openModelTokenizer({ model: 'x', tokenizer: './no/where' }), /no\/where/);
});
