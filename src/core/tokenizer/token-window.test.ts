import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { byteToCharacter } from './byte-level.ts';
import { promptWindow, readTokens, Tokenizer } from './index.ts';

/** One token per byte, and one special token. */
const tokenizer = new Tokenizer({
  tokenizer: {
    added_tokens: [{ id: 256, content: '<|end|>', special: true }],
    pre_tokenizer: { type: 'ByteLevel', add_prefix_space: false, use_regex: false },
    model: {
      type: 'BPE',
      vocab: Object.fromEntries(byteToCharacter.map((character, id) => [character, id])),
      merges: [],
    },
  },
  config: {},
});
const start = { tokens: [], prefixOffset: 0, readOffset: 0 };

test('decodes text that is split anywhere, with a window passed from piece to piece', () => {
  const cuts = fc.array(fc.integer({ min: 1, max: 5 }), { minLength: 1, maxLength: 8 });
  fc.assert(
    fc.property(fc.string({ unit: 'binary' }), cuts, (text, lengths) => {
      const ids = [...new TextEncoder().encode(text)];
      let window = start as ReturnType<typeof readTokens>['window'];
      let read = '';
      for (let at = 0, i = 0; at < ids.length; i++) {
        const length = lengths[i % lengths.length] as number;
        const options = { ids: ids.slice(at, at + length), skipSpecialTokens: true };
        const step = readTokens(tokenizer, JSON.parse(JSON.stringify(window)), options);
        read += step.text;
        window = step.window;
        at += length;
      }
      // Text that ends in U+FFFD looks like an incomplete character, as in vLLM.
      if (!text.includes('\ufffd')) assert.equal(read, text);
    }),
  );
});

test('the window stays small, and special tokens are skipped or decoded', () => {
  const ids = [104, 105, 256, 33];
  const skipped = readTokens(tokenizer, start, { ids, skipSpecialTokens: true });
  assert.equal(skipped.text, 'hi!');
  assert.ok(skipped.window.tokens.length <= 1);
  const all = readTokens(tokenizer, start, { ids, skipSpecialTokens: false });
  assert.equal(all.text, 'hi<|end|>!');
});

test('a window at the end of a prompt continues from there', () => {
  const window = promptWindow(tokenizer, [104, 0xc3], false);
  assert.equal(readTokens(tokenizer, window, { ids: [33], skipSpecialTokens: false }).text, '!');
});
