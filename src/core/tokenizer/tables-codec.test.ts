import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { byteToCharacter } from './byte-level.ts';
import { decodeTables, encodeTables, Tokenizer, tokenTables } from './index.ts';
import type { TokenizerJson } from './tokenizer-json.ts';

test('encoded and decoded tables yield the same tokens for any vocabulary and text', () => {
  fc.assert(
    fc.property(
      fc.uniqueArray(fc.string({ unit: fc.constantFrom('a', 'b', 'Ġ'), minLength: 2 }), {
        maxLength: 20,
      }),
      fc.boolean(),
      fc.array(fc.string({ unit: fc.constantFrom('a', 'b', ' ', '<x>', 'é') })),
      (words, ignoresMerges, texts) => {
        const json = tokenizerJson(words, ignoresMerges);
        const decoded = decodeTables(encodeTables(tokenTables(json)));
        assert.ok(decoded);
        const [fresh, kept] = [json, decoded].map((tokenizer) => new Tokenizer({ tokenizer }));
        for (const text of texts) {
          const ids = fresh?.encode(text) ?? [];
          assert.deepEqual(kept?.encode(text), ids);
          assert.equal(kept?.decode(ids), fresh?.decode(ids));
        }
      },
    ),
  );
});

test('does not decode bytes of another format', () => {
  const encoded = encodeTables(tokenTables(tokenizerJson(['ab'], false)));
  const older = encoded.slice();
  older[4] = 0xff;
  assert.equal(decodeTables(older), undefined);
  assert.equal(decodeTables(new Uint8Array(400)), undefined);
  assert.equal(decodeTables(encoded.subarray(0, 3)), undefined);
});

/**
 * Returns a vocabulary of bytes and the given words, and a merge for each word that consists of two
 * other ones.
 */
function tokenizerJson(words: readonly string[], ignoresMerges: boolean): TokenizerJson {
  const entries = [...byteToCharacter, ...words];
  const known = new Set(entries);
  const merges = words.flatMap((word) => {
    const cut = Array.from({ length: word.length }, (_, at) => at).find(
      (at) => at > 0 && known.has(word.slice(0, at)) && known.has(word.slice(at)),
    );
    return cut === undefined ? [] : [[word.slice(0, cut), word.slice(cut)] as const];
  });
  return {
    added_tokens: [{ id: entries.length + 3, content: '<x>', special: true }],
    pre_tokenizer: { type: 'ByteLevel', use_regex: true },
    model: {
      vocab: Object.fromEntries(entries.map((text, id) => [text, id])),
      merges,
      ignore_merges: ignoresMerges,
    },
  };
}
