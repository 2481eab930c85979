import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { loadTokenizer } from '../../../io/tokenizers/index.ts';
import { PromptEncoder } from './prompt-encoder.ts';

const tokenizer = await loadTokenizer(undefined);

test('a long text has the tokens of the tokenizer', async () => {
  const encoder = new PromptEncoder(tokenizer);
  const texts = ['Hello, world! ', 'e\u0301<|im_end|>7 ', ' \n\t', '漢字🧑‍🚀', 'xyz'];
  for (const text of texts.map((one) => one.repeat(3_000))) {
    assert.deepEqual(await encoder.encode(text), tokenizer.encode(text));
  }
  assert.deepEqual(await encoder.encode('Hello'), tokenizer.encode('Hello'));
});

test('stops once there are more tokens than asked for', async () => {
  const tokens = await new PromptEncoder(tokenizer).encode('7'.repeat(4_000_000), {
    tokensMax: 100,
  });
  assert.ok(tokens.length > 100 && tokens.length < 20_000, `${tokens.length}`);
});

test('a short text does not wait for long ones, and a long one not for the end of a longer one', async () => {
  const encoder = new PromptEncoder(tokenizer);
  const ended: string[] = [];
  const work = [
    encoder.encode(' '.repeat(2_000_000)).then(() => ended.push('longest')),
    encoder.encode('word '.repeat(20_000)).then(() => ended.push('long')),
    encoder.encode('word').then(() => ended.push('short')),
  ];
  await Promise.all(work);
  assert.deepEqual(ended, ['short', 'long', 'longest']);
});

test('others have their turn while a long text is encoded', async () => {
  let turns = 0;
  let isOver = false;
  const encoding = new PromptEncoder(tokenizer).encode('a'.repeat(1_000_000)).then(() => {
    isOver = true;
  });
  while (!isOver) {
    await nextTurn();
    turns++;
  }
  await encoding;
  assert.ok(turns >= 5, `${turns} turns`);
});
