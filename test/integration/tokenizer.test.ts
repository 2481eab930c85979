// Holds our byte-pair encoding against Hugging Face's own, with Qwen3's vocabulary.
import assert from 'node:assert/strict';
import { globSync, readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { test } from 'node:test';
import { Tokenizer as Oracle } from '@huggingface/tokenizers';
import fc from 'fast-check';
import { defaultTokenizerName, loadTokenizer } from '../../src/io/tokenizers/index.ts';

const require = createRequire(import.meta.url);
const tokenizer = await loadTokenizer();
const oracle = new Oracle(
  require(`${defaultTokenizerName}/models/tokenizer.json`),
  require(`${defaultTokenizerName}/models/tokenizer_config.json`),
);

test('every source file and page of this project gets the tokens of the reference', () => {
  const files = globSync(['src/**/*.ts', 'docs/**/*.md', 'LICENSE'], {
    cwd: `${import.meta.dirname}/../..`,
  });
  assert.ok(files.length > 10);
  for (const file of files) {
    const text = readFileSync(`${import.meta.dirname}/../../${file}`, 'utf8');
    assert.deepEqual(tokenizer.encode(text), oracle.encode(text).ids, file);
  }
});

test('any text gets the tokens of the reference', () => {
  const piece = fc.oneof(
    fc.string({ unit: 'grapheme' }),
    fc.string({ unit: 'grapheme-ascii' }),
    fc.constantFrom("'S", "'ll", '<|im_end|>', '<think>', '\r\n', '  \n', 'ｈ', 'é', '你好', '🙂'),
    fc.stringMatching(/^[a-z]{60,120}$/),
  );
  fc.assert(
    fc.property(fc.array(piece, { maxLength: 8 }), (pieces) => {
      const text = pieces.join('');
      assert.deepEqual(tokenizer.encode(text), oracle.encode(text).ids);
    }),
    { numRuns: 300 },
  );
});

test('a chat becomes the tokens that a real vLLM 0.32.0 counted', () => {
  // The answer of a real server's /tokenize to these two messages.
  const messages = [
    { role: 'system', content: 'Be brief.' },
    { role: 'user', content: 'Hi' },
  ];
  const text = tokenizer.applyChatTemplate(messages);
  assert.deepEqual(
    tokenizer.encode(text, { addSpecialTokens: false }),
    [
      151644, 8948, 198, 3430, 9814, 13, 151645, 198, 151644, 872, 198, 13048, 151645, 198, 151644,
      77091, 198,
    ],
  );
  assert.equal(tokenizer.eosTokenId, 151645);
});

test('a tokenizer that is not there is named in one sentence', async () => {
  await assert.rejects(
    loadTokenizer('/nowhere/at-all'),
    /No tokenizer "\/nowhere\/at-all": give a/,
  );
});
