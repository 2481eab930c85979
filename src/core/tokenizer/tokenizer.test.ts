import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { byteToCharacter } from './byte-level.ts';
import { Tokenizer } from './index.ts';
import { MergeTable } from './merge-table.ts';
import { mergeWord } from './merge-word.ts';
import type { TokenizerJson } from './tokenizer-json.ts';
import { toRegExp } from './word-pattern.ts';

/**
 * A small version of Llama-3's tokenizer: bytes, a few merges, and two special tokens around a
 * sequence.
 */
const json: TokenizerJson = (() => {
  const words = ['he', 'll', 'hell', 'hello', 'Ġw', 'or', 'Ġwor', 'ld', 'Ġworld', 'whole'];
  const vocab = Object.fromEntries([...byteToCharacter, ...words].map((text, id) => [text, id]));
  return {
    added_tokens: [
      { id: 300, content: '<bos>', special: true },
      { id: 301, content: '<eos>', special: true },
      { id: 302, content: '<tool>', special: false },
    ],
    normalizer: { type: 'NFC' },
    pre_tokenizer: {
      type: 'Sequence',
      pretokenizers: [
        {
          type: 'Split',
          pattern: { Regex: "(?i:'s)|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|\\p{N}|\\s+" },
          behavior: 'Isolated',
        },
        { type: 'ByteLevel', add_prefix_space: false, use_regex: false },
      ],
    },
    post_processor: {
      type: 'TemplateProcessing',
      single: [{ SpecialToken: { id: '<bos>' } }, { Sequence: { id: 'A' } }],
      special_tokens: { '<bos>': { ids: [300] } },
    },
    model: {
      type: 'BPE',
      vocab,
      ignore_merges: true,
      merges: ['h e', 'l l', 'he ll', 'hell o', 'Ġ w', 'o r', 'Ġw or', 'l d', 'Ġwor ld'],
    },
  };
})();
const tokenizer = new Tokenizer({
  tokenizer: json,
  config: {
    eos_token: '<eos>',
    chat_template:
      "{% for m in messages %}{{ '<bos>' + m.role + ':' + m.content }}{% endfor %}{% if add_generation_prompt %}<bos>assistant:{% endif %}",
  },
});
const word = (text: string): number => json.model.vocab[text] as number;

test('words merge in the order of the rules', () => {
  assert.deepEqual(tokenizer.encode('hello world'), [300, word('hello'), word('Ġworld')]);
});

test('special tokens in the text are one token each, and those around the text are optional', () => {
  assert.deepEqual(tokenizer.encode('<eos>hello<tool>', { addSpecialTokens: false }), [
    301,
    word('hello'),
    302,
  ]);
});

test('a word of the vocabulary that no rule produces is still one token with ignore_merges', () => {
  assert.deepEqual(tokenizer.encode('whole', { addSpecialTokens: false }), [word('whole')]);
});

test('decoding omits special tokens on request', () => {
  const ids = [300, word('hello'), 302, 301];
  assert.equal(tokenizer.decode(ids), '<bos>hello<tool><eos>');
  assert.equal(tokenizer.decode(ids, { skipSpecialTokens: true }), 'hello<tool>');
});

test('any text decodes to its composed form', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'binary' }), (text) => {
      const ids = tokenizer.encode(text, { addSpecialTokens: false });
      assert.equal(tokenizer.decode(ids), text.toWellFormed().normalize('NFC'));
    }),
  );
});

test('a stream of tokens yields whole characters only, and together the whole text', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'grapheme' }), (text) => {
      const decoder = tokenizer.incrementalDecoder();
      const parts = tokenizer
        .encode(text, { addSpecialTokens: false })
        .map((id) => decoder.push(id));
      assert.ok(text.includes('\ufffd') || parts.every((part) => !part.includes('\ufffd')));
      assert.equal(parts.join('') + decoder.end(), text.normalize('NFC'));
    }),
  );
});

test('a stream that ends within a character ends with the replacement character', () => {
  const decoder = tokenizer.incrementalDecoder();
  assert.deepEqual(
    [0xe4, 0xbd].map((byte) => decoder.push(byte)),
    ['', ''],
  );
  assert.equal(decoder.end(), '\ufffd');
});

test('invalid bytes wait until text follows', () => {
  const decoder = tokenizer.incrementalDecoder();
  assert.deepEqual(
    [0xe4, 0xe4, 0x41].map((byte) => decoder.push(byte)),
    ['', '', '\ufffd\ufffdA'],
  );
  assert.equal(decoder.end(), '');
});

test('merging on the heap gives the same tokens as merging by scanning', () => {
  const merges = new MergeTable(6);
  const rules = [
    [0, 0, 3],
    [0, 1, 4],
    [3, 3, 5],
    [4, 4, 6],
    [1, 0, 7],
    [5, 4, 8],
  ] as const;
  rules.forEach(([left, right, merged], rank) => {
    merges.add(left, right, rank, merged);
  });
  fc.assert(
    fc.property(fc.array(fc.nat(2), { minLength: 40, maxLength: 90 }), (ids) => {
      assert.deepEqual(mergeWord(ids, merges), reference(ids, merges));
    }),
  );
});

/** Merges literally as defined. */
function reference(start: readonly number[], merges: MergeTable): number[] {
  const ids = [...start];
  for (;;) {
    const pairs = ids.slice(1).map((right, i) => merges.rank(ids[i] as number, right));
    const best = Math.min(...pairs.map((rank) => (rank === -1 ? Number.MAX_VALUE : rank)));
    if (best === Number.MAX_VALUE || pairs.length === 0) return ids;
    ids.splice(pairs.indexOf(best), 2, merges.merged(best));
  }
}

test('white space in a pattern is Unicode’s, not JavaScript’s', () => {
  const space = toRegExp('\\s');
  assert.deepEqual('\u0085'.match(space), ['\u0085']);
  assert.equal('\ufeff'.match(space), null);
  assert.deepEqual('a\ufeff\u0085'.match(toRegExp('[^\\s]+')), ['a\ufeff']);
});

test('case is ignored where the pattern says so', () => {
  assert.deepEqual("'S'x'\u017f".match(toRegExp("(?i:'s)")), ["'S", "'\u017f"]);
});

test('renders a chat with the template', () => {
  const messages = [{ role: 'user', content: 'Hi' }];
  assert.equal(tokenizer.applyChatTemplate(messages), '<bos>user:Hi<bos>assistant:');
  assert.equal(
    tokenizer.applyChatTemplate(messages, { addGenerationPrompt: false }),
    '<bos>user:Hi',
  );
  assert.equal(
    tokenizer.applyChatTemplate([{ role: 'assistant', content: 'Go on ' }], {
      continueFinalMessage: true,
    }),
    '<bos>assistant:Go on ',
  );
});

test('refuses a tokenizer of another kind in one sentence', () => {
  assert.throws(
    () => new Tokenizer({ tokenizer: { ...json, model: { ...json.model, type: 'Unigram' } } }),
    /model Unigram is not supported; BPE is\./,
  );
  assert.throws(
    () => new Tokenizer({ tokenizer: { ...json, pre_tokenizer: { type: 'Metaspace' } } }),
    /Metaspace is not supported/,
  );
});

test('refuses token ids that are no indexes of a table', () => {
  for (const id of [2 ** 31, -1, 0.5, '7' as unknown as number]) {
    const tokenizer = {
      ...json,
      model: { ...json.model, vocab: { ...json.model.vocab, far: id } },
    };
    assert.throws(() => new Tokenizer({ tokenizer }), /token ids are integers from 0 to 1048575/);
  }
});

test('the parts of a text have the tokens of the whole text', () => {
  const piece = fc.constantFrom(
    'hello world',
    ' ',
    '\n',
    "'s",
    'é',
    'e\u0301',
    '<tool>',
    '漢',
    '🧑‍🚀',
    '7',
  );
  fc.assert(
    fc.property(
      fc.array(piece, { maxLength: 12 }),
      fc.integer({ min: 1, max: 4_000 }),
      (some, times) => {
        const text = some.join('').repeat(times);
        for (const addSpecialTokens of [true, false]) {
          const parts = [...tokenizer.encodeInParts(text, { addSpecialTokens })].flat();
          assert.deepEqual(parts, tokenizer.encode(text, { addSpecialTokens }));
        }
      },
    ),
    { numRuns: 30 },
  );
});

test('marks in any order and number take linear time', () => {
  const startMs = process.cpuUsage().user / 1000;
  const marks = `a${'\u0301\u0316'.repeat(200_000)}`;
  assert.equal(tokenizer.encode(marks).length, 800_001);
  assert.ok(process.cpuUsage().user / 1000 - startMs < 5_000, 'quadratic work took 30 s');
  const few = `a${'\u0301\u0316'.repeat(40)} b\u0301`;
  assert.equal(
    tokenizer.decode(tokenizer.encode(few), { skipSpecialTokens: true }),
    few.normalize('NFC'),
  );
});

test('a long word is merged in parts, and no character is cut', () => {
  for (const character of ['a', 'é', '🧑', 'a🧑']) {
    const word = character.repeat(50_000);
    const ids = tokenizer.encode(word);
    assert.deepEqual([...tokenizer.encodeInParts(word)].flat(), ids);
    assert.equal(tokenizer.decode(ids, { skipSpecialTokens: true }), word);
  }
});
