import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { TokenizedPrompt } from '../../../core/prompts/index.ts';
import { textTokensFrom } from './text-tokens-of.ts';

/** A router with a tokenizer of three tokens for each prompt, under the name `real`. */
function begin(result: TokenizedPrompt | 'template' = tokenized) {
  let tokenizations = 0;
  const prompts = {
    tokenize: () => {
      tokenizations++;
      return result;
    },
    encode: (text: string) => [text.length],
    idOf: (token: string) => (token === '<think>' ? 9 : undefined),
  };
  const of = (model: string) => (model === 'real' ? { prompts } : 'unavailable');
  const core = {
    resolveModel: (model: string | undefined) => (model === 'alias' ? 'real' : model),
  };
  const tokensOf = textTokensFrom(core as never, { of } as never);
  return {
    of: (body = '{}', tokens?: readonly number[], model = 'alias') =>
      tokensOf({ model, tokens }, 'messages', Buffer.from(body)),
    count: () => tokenizations,
  };
}

const tokenized: TokenizedPrompt = { tokens: Uint32Array.of(1, 2, 3), cacheSalt: undefined };

test('the tokens of a request are those of the tokenizer of its model, by an alias, too', () => {
  const { of } = begin();
  const tokens = of();
  assert.deepEqual(tokens?.prompt(), tokenized.tokens);
  assert.deepEqual([tokens?.encode('abc'), tokens?.idOf('<think>')], [[3], 9]);
  assert.equal(of('{}', undefined, 'other'), undefined);
});

test('tokens by which the request was routed are not computed again', () => {
  const { of, count } = begin();
  assert.deepEqual(of('{}', [7])?.prompt(), [7]);
  assert.equal(count(), 0);
});

test('a prompt that has no tokens, no JSON or more than 64 KiB has none', () => {
  assert.equal(begin('template').of()?.prompt(), undefined);
  assert.deepEqual(begin().of('{"a":NaN}')?.prompt(), tokenized.tokens);
  const { of, count } = begin();
  assert.equal(of(`"${'x'.repeat(65_536)}"`)?.prompt(), undefined);
  assert.equal(count(), 0);
});

test('the tokenizer is proven once an engine has counted as many tokens, and is not asked again then', () => {
  const { of, count } = begin();
  of()?.prove(4);
  assert.deepEqual([of()?.isProven, count()], [false, 1]);
  of()?.prove(3);
  assert.deepEqual([of()?.isProven, count()], [true, 2]);
  of()?.prove(5);
  assert.deepEqual([of()?.isProven, count()], [true, 2]);
});

test('after sixteen different counts no further prompt is tokenized for a proof', () => {
  const { of, count } = begin();
  for (let i = 0; i < 20; i++) of()?.prove(4);
  assert.deepEqual([of()?.isProven, count()], [false, 16]);
});
