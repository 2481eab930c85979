import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { chooseWords, createBlockWriter, type PromptWord } from './block-prompt.ts';

const words: PromptWord[] = Array.from({ length: 50 }, (_, i) => ({
  text: `word${String.fromCharCode(97 + (i % 26), 97 + Math.floor(i / 26))}`,
  tokenId: 1000 + i,
}));

test('equal block ids give equal text, and a prompt has as many words as tokens', () => {
  const writer = createBlockWriter({ words, blockTokens: 16, seed: 1 });
  const [short, long] = [writer.text([7, 8], 20), writer.text([7, 8, 9], 48)];
  assert.equal(short.split(' ').length, 20);
  assert.ok(long.startsWith(short));
  assert.deepEqual(
    long.split(' '),
    writer.tokenIds([7, 8, 9], 48).map((id) => words[id - 1000]?.text),
  );
  assert.throws(() => writer.text([7], 17), RangeError);
});

test('any two different ids differ within their first words, under any seed', () => {
  const id = fc.maxSafeNat();
  fc.assert(
    fc.property(id, id, fc.integer(), (a, b, seed) => {
      fc.pre(a !== b);
      // 50 words: ten of them spell any id below 2^53.
      const writer = createBlockWriter({ words, blockTokens: 10, seed });
      assert.notEqual(writer.text([a], 10), writer.text([b], 10));
    }),
  );
});

test('another seed gives different text', () => {
  const text = (seed: number) => createBlockWriter({ words, blockTokens: 16, seed }).text([0], 16);
  assert.equal(text(1), text(1));
  assert.notEqual(text(1), text(2));
});

test('words are one token with and without a space before them', () => {
  const vocabulary = new Map([
    [' time', 1],
    ['time', 2],
    [' only', 3],
    [' Up', 4],
    ['Up', 5],
  ]);
  const encode = (text: string) => {
    const id = vocabulary.get(text);
    return id === undefined ? [...text].map((_, i) => 100 + i) : [id];
  };
  assert.deepEqual(chooseWords(vocabulary.keys(), encode), [{ text: 'time', tokenId: 1 }]);
});
