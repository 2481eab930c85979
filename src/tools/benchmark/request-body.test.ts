import assert from 'node:assert/strict';
import { before, test } from 'node:test';
import fc from 'fast-check';
import type { Tokenizer } from '../../core/tokenizer/index.ts';
import { loadTokenizer } from '../../io/tokenizers/index.ts';
import {
  createRequestWriter,
  type PromptApi,
  promptApis,
  type RequestWriter,
} from './request-body.ts';

let tokenizer: Tokenizer;
const writers = new Map<PromptApi, RequestWriter>();
before(async () => {
  tokenizer = await loadTokenizer();
  for (const api of promptApis) {
    const shared = { model: 'm', tokenizer, blockTokens: 16, seed: 0 };
    writers.set(api, createRequestWriter({ api, ...shared }));
  }
});

interface Body {
  readonly prompt: string & readonly number[];
  readonly messages: readonly { readonly role: string; readonly content: string }[];
  readonly max_tokens: number;
  readonly min_tokens: number;
}

function bodyOf(api: PromptApi, blockIds: readonly number[], promptTokens: number): Body {
  const writer = writers.get(api);
  assert.ok(writer);
  const request = { arrivalSeconds: 0, promptTokens, outputTokens: 9, blockIds };
  return JSON.parse(new TextDecoder().decode(writer.body(request)));
}

/** Number of tokens that the server will count: those of the template and the text, or the ids. */
function serverTokens(api: PromptApi, { prompt, messages }: Body): readonly number[] {
  if (api === 'tokens') return prompt;
  if (api === 'completions') return tokenizer.encode(prompt);
  const text = tokenizer.applyChatTemplate(messages.map((message) => ({ ...message })));
  return tokenizer.encode(text, { addSpecialTokens: false });
}

test('a prompt has as many tokens as in the trace, including the chat template', () => {
  const ids = fc.array(fc.maxSafeNat(), { minLength: 1, maxLength: 6 });
  for (const api of promptApis) {
    fc.assert(
      fc.property(ids, fc.nat(15), (blockIds, cut) => {
        // The chat template alone has eight tokens.
        const promptTokens = Math.max(9, blockIds.length * 16 - cut);
        const tokens = serverTokens(api, bodyOf(api, blockIds, promptTokens));
        assert.equal(tokens.length, promptTokens);
      }),
      { numRuns: 10 },
    );
  }
});

test('prompts share exactly the tokens of the block ids that they share', () => {
  const ids = fc.uniqueArray(fc.maxSafeNat(), { minLength: 4, maxLength: 4 });
  for (const [api, headTokens] of [
    ['chat', 3],
    ['completions', 0],
    ['tokens', 0],
  ] as const) {
    fc.assert(
      fc.property(ids, ([a = 0, b = 0, c = 0, d = 0]) => {
        const one = serverTokens(api, bodyOf(api, [a, b, c], 48));
        const two = serverTokens(api, bodyOf(api, [a, b, d], 48));
        const shared = one.findIndex((token, i) => token !== two[i]);
        // Two ids may begin with the same word, but not with the same five.
        assert.ok(shared >= headTokens + 32 && shared < headTokens + 37, `${shared} shared`);
      }),
      { numRuns: 10 },
    );
  }
});

test('keeps one word in a prompt that is too short for the template', () => {
  assert.equal(bodyOf('chat', [1], 3).messages[0]?.content.split(' ').length, 1);
});

test('enforces the output length', () => {
  const { max_tokens, min_tokens } = bodyOf('chat', [1], 12);
  assert.deepEqual([max_tokens, min_tokens], [9, 9]);
});
