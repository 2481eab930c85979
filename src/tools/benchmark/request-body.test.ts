import assert from 'node:assert/strict';
import { before, test } from 'node:test';
import fc from 'fast-check';
import type { Tokenizer } from '../../core/tokenizer/index.ts';
import { loadTokenizer } from '../../io/tokenizers/index.ts';
import { loadApis, type PromptApi, promptApis } from './load-api.ts';
import { createRequestWriter, type PromptPart, type RequestWriter } from './request-body.ts';

let tokenizer: Tokenizer;
const writers = new Map<PromptApi, RequestWriter>();
before(async () => {
  tokenizer = await loadTokenizer();
  for (const api of promptApis) {
    const shared = { model: 'm', tokenizer, blockTokens: 16, seed: 0 };
    writers.set(api, createRequestWriter({ api, ...shared }));
  }
});

interface Message {
  readonly role: string;
  readonly content: string;
}

interface Body {
  readonly prompt: string & readonly number[];
  readonly messages: readonly Message[];
  readonly input: string & readonly Message[];
  readonly max_tokens: number;
  readonly min_tokens: number;
  readonly [field: string]: unknown;
}

function bodyOf(api: PromptApi, blockIds: readonly number[], promptTokens: number): Body {
  const writer = writers.get(api);
  assert.ok(writer);
  const request = { arrivalSeconds: 0, promptTokens, outputTokens: 9, blockIds };
  return JSON.parse(new TextDecoder().decode(writer.body(request)));
}

/** Number of tokens that the server will count: those of the template and the text, or the ids. */
function serverTokens(api: PromptApi, { prompt, messages, input }: Body): readonly number[] {
  const { form } = loadApis[api];
  if (form === 'tokens') return prompt;
  if (form === 'text') return tokenizer.encode(prompt ?? input);
  const text = tokenizer.applyChatTemplate((messages ?? input).map((message) => ({ ...message })));
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

test('enforces the output length as far as each API can', () => {
  const lengths = (api: PromptApi) => {
    const { max_tokens, max_output_tokens, min_tokens, ignore_eos } = bodyOf(api, [1], 12);
    return { max_tokens, max_output_tokens, min_tokens, ignore_eos };
  };
  const none = { max_tokens: undefined, max_output_tokens: undefined };
  const all = { max_output_tokens: undefined, max_tokens: 9, min_tokens: 9, ignore_eos: true };
  assert.deepEqual(lengths('chat'), all);
  assert.deepEqual(lengths('tokens'), all);
  const notEnforced = { min_tokens: undefined, ignore_eos: undefined };
  assert.deepEqual(lengths('responses'), {
    ...{ ...none, max_output_tokens: 9 },
    ...{ ...notEnforced, ignore_eos: true },
  });
  assert.deepEqual(lengths('messages'), { ...none, max_tokens: 9, ...notEnforced });
  assert.deepEqual(lengths('embeddings'), { ...none, ...notEnforced });
});

test('the parts of a conversation make messages by turns, with the tokens intended', () => {
  const word = tokenizer.encode(' time', { addSpecialTokens: false }).length;
  assert.equal(word, 1);
  for (const api of ['chat', 'completions', 'tokens', 'responses', 'messages'] as const) {
    const [shared, question, next] = [
      { id: 7, tokens: 64 },
      { id: 8, tokens: 40 },
      { id: 9, tokens: 30 },
    ];
    const response = ' time'.repeat(50);
    const body = (parts: readonly PromptPart[], promptTokens: number): Body => {
      const request = { arrivalSeconds: 0, promptTokens, outputTokens: 5, blockIds: [], parts };
      return JSON.parse(new TextDecoder().decode(writers.get(api)?.body(request)));
    };
    const first = serverTokens(api, body([shared, question], 104));
    const second = serverTokens(api, body([shared, question, { response }, next], 184));
    assert.deepEqual([first.length, second.length], [104, 184], api);
    // The second prompt goes on where the first one and its response ended.
    const form = loadApis[api].form;
    const kept = form === 'messages' ? first.length - generationPrompt() : first.length;
    assert.deepEqual(second.slice(0, kept), first.slice(0, kept), api);
    const other = serverTokens(api, body([shared, { id: 10, tokens: 40 }], 104));
    const differs = other.findIndex((token, i) => token !== first[i]);
    assert.ok(differs >= 64 && differs < 80, `${api}: ${differs} tokens are shared`);
  }
});

/** Tokens of the chat template after the last message. */
function generationPrompt(): number {
  const message = [{ role: 'user', content: 'time' }];
  const text = tokenizer.applyChatTemplate(message);
  const end = text.lastIndexOf('time') + 'time'.length;
  return tokenizer.encode(text.slice(end), { addSpecialTokens: false }).length;
}

test('the server counts the tokens of a dataset’s text, and in a chat those of the template too', () => {
  const text = 'What is the number between three and five? Answer in one word.';
  const promptTokens = tokenizer.encode(text).length;
  for (const api of promptApis) {
    const writer = writers.get(api);
    assert.ok(writer);
    const request = { arrivalSeconds: 0, promptTokens, outputTokens: 9, blockIds: [], text };
    const body: Body = JSON.parse(new TextDecoder().decode(writer.body(request)));
    assert.equal(writer.serverTokens(request), serverTokens(api, body).length, api);
  }
});
