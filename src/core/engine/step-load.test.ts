import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Sequence } from './sequence.ts';
import { stepLoad } from './step-load.ts';

/** A sequence that has computed this many tokens. */
function computed(computedTokens: number): Sequence {
  const request = { id: '', promptTokens: 1000, maxTokens: 1, priority: 0, arrivalSeconds: 0 };
  return Object.assign(new Sequence({ ...request, blockKey: () => 0 }), { computedTokens });
}

test('single tokens are decodes, and longer chunks are prefills that attend to their context', () => {
  const sequences = [computed(100), computed(0), computed(50), computed(300)];
  assert.deepEqual(stepLoad(sequences, [1, 8, 4, 1]), {
    ...{ sequences: 4, tokens: 14 },
    ...{ prefillTokens: 12, prefillTokenContext: 4 * 50, prefillTokensSquared: 64 + 16 },
    ...{ decodeSequences: 2, decodeContextTokens: 400 },
  });
  const nothing = { prefillTokens: 0, prefillTokenContext: 0, prefillTokensSquared: 0 };
  assert.deepEqual(stepLoad([], []), {
    ...{ sequences: 0, tokens: 0, ...nothing, decodeSequences: 0, decodeContextTokens: 0 },
  });
});
