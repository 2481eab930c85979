import assert from 'node:assert/strict';
import { before, test } from 'node:test';
import fc from 'fast-check';
import type { Tokenizer } from '../../core/tokenizer/index.ts';
import { loadTokenizer } from '../../io/models/index.ts';
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

test('a chat prompt has as many tokens as the trace says, the template included', () => {
  fc.assert(
    fc.property(fc.array(fc.nat(), { minLength: 1, maxLength: 6 }), fc.nat(15), (ids, cut) => {
      const promptTokens = Math.max(9, ids.length * 16 - cut);
      const { messages } = bodyOf('chat', ids, promptTokens);
      const prompt = tokenizer.applyChatTemplate(messages.map((message) => ({ ...message })));
      assert.equal(tokenizer.encode(prompt, { addSpecialTokens: false }).length, promptTokens);
    }),
    { numRuns: 30 },
  );
});

test('text and token ids are the same prompt', () => {
  const ids = [5, 70_000, 2 ** 40];
  const text: string = bodyOf('completions', ids, 40).prompt;
  const tokens: readonly number[] = bodyOf('tokens', ids, 40).prompt;
  assert.equal(tokens.length, 40);
  // The very first word has no space before it, which makes it another token of the same word.
  assert.deepEqual(tokenizer.encode(text).slice(1), tokens.slice(1));
});

test('a prompt too short for the template keeps one word', () => {
  assert.equal(bodyOf('chat', [1], 3).messages[0]?.content.split(' ').length, 1);
});

test('the output length is forced', () => {
  const { max_tokens, min_tokens } = bodyOf('chat', [1], 12);
  assert.deepEqual([max_tokens, min_tokens], [9, 9]);
});
