// Prompts encoded piece by piece, with what was encoded before taken from a cache, against encoding from scratch.
import assert from 'node:assert/strict';
import { globSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import fc from 'fast-check';
import { PromptTokenizer } from '../../src/core/prompts/index.ts';
import { PieceCache } from '../../src/core/tokenizer/index.ts';
import { loadTokenizer } from '../../src/io/tokenizers/index.ts';

const tokenizer = await loadTokenizer();
const root = join(import.meta.dirname, '../..');

test('long texts are encoded in pieces, with the tokens of the whole', () => {
  const pieces = new PieceCache();
  for (const file of globSync(['docs/**/*.md', 'src/core/**/*.ts', 'LICENSE'], { cwd: root })) {
    const text = readFileSync(join(root, file), 'utf8');
    const ids = tokenizer.encodePieces(text, pieces);
    assert.deepEqual(Array.from(ids), tokenizer.encode(text), file);
  }
});

/** Texts in which a cut could change a token: white space, contractions, digits, marks, special tokens. */
const fragment = fc.oneof(
  fc.constantFrom(
    ' a',
    'b c',
    'x  y',
    '\n',
    ' \n z',
    "'s",
    " 'll",
    '12 3',
    'é',
    'e\u0301',
    ' \u0301a',
  ),
  fc.constantFrom(
    '<|im_end|>',
    '<|im_',
    'start|>',
    '<think>',
    '你好',
    '🙂',
    '\ud83d',
    '.',
    '...',
    '\t',
  ),
  fc.string({ unit: 'grapheme', maxLength: 6 }),
  fc.constantFrom('word '.repeat(500), 'a'.repeat(2100), ' '.repeat(2100), '好'.repeat(2100)),
);
const someText = fc.array(fragment, { maxLength: 12 }).map((parts) => parts.join(''));

test('pieces of any text, in any order of prompts, give the tokens of the whole', () => {
  const pieces = new PieceCache(20_000);
  fc.assert(
    fc.property(fc.array(someText, { minLength: 1, maxLength: 4 }), (texts) => {
      let prompt = '';
      for (const text of texts) {
        prompt += text;
        const expected = tokenizer.encode(prompt);
        assert.deepEqual(Array.from(tokenizer.encodePieces(prompt, pieces)), expected);
      }
      assert.ok(pieces.characters <= 20_000);
    }),
    { numRuns: 150 },
  );
});

test('each turn of any conversation has the tokens of one that was never seen', () => {
  const seen = new PromptTokenizer(tokenizer);
  const role = fc.constantFrom('user', 'assistant', 'system', 'tool');
  const message = fc.record({ role, content: someText });
  fc.assert(
    fc.property(fc.array(message, { minLength: 1, maxLength: 5 }), fc.boolean(), (all, thinks) => {
      for (let turns = 1; turns <= all.length; turns++) {
        const messages = all.slice(0, turns);
        const body = { messages, chat_template_kwargs: { enable_thinking: thinks } };
        const result = seen.tokenize('chat', body);
        const fresh = new PromptTokenizer(tokenizer).tokenize('chat', body);
        assert.deepEqual(result, fresh);
        if (typeof result === 'string') continue;
        const text = tokenizer.applyChatTemplate(messages, {
          variables: { enable_thinking: thinks },
        });
        const expected = tokenizer.encode(text, { addSpecialTokens: false });
        assert.deepEqual(Array.from(result.tokens), expected);
      }
    }),
    { numRuns: 100 },
  );
});
