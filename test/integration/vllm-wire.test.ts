// The embedded engine against recordings of real vLLM 0.32.0: every request, on all three servers.
import assert from 'node:assert/strict';
import test from 'node:test';
import { compareAnswers } from '../support/wire-compare.ts';
import { knownDifferences, runWireCases } from '../support/wire-run.ts';

test('the server with all flags of the main recording agrees in every case', async () => {
  assert.deepEqual(await differences('main'), []);
});

test('a server without flags agrees in every case', async () => {
  assert.deepEqual(await differences('bare'), []);
});

test('a server with an API key, request ids, metrics and a reasoning parser agrees in every case', async () => {
  assert.deepEqual(await differences('auth'), []);
});

async function differences(server: Parameters<typeof runWireCases>[0]): Promise<string[]> {
  const results = await runWireCases(server);
  return results
    .filter(({ one, difference }) => difference !== undefined && !(one.id in knownDifferences))
    .map(({ one, difference }) => `${one.id}: ${difference}`);
}

test('the comparison finds what was changed in an answer on purpose', () => {
  const one = { id: 'x', method: 'POST', path: '/v1/completions' };
  const answer = (body: object) => ({
    id: 'x',
    status: 200,
    headers: [['content-type', 'application/json']] as const,
    body: JSON.stringify(body),
  });
  const real = { id: 'cmpl-0123456789abcdef', usage: { prompt_tokens: 3 }, text: 'a', n: null };
  const compare = (other: object) => compareAnswers(answer(real), answer(other), one);
  assert.equal(compare({ ...real, id: 'cmpl-fedcba9876543210', text: 'b' }), undefined);
  assert.match(compare({ ...real, id: 'chatcmpl-fedcba9876543210' }) ?? '', /^id is/);
  assert.match(
    compare({ ...real, usage: { prompt_tokens: 4 } }) ?? '',
    /prompt_tokens is 4, not 3/,
  );
  assert.match(compare({ ...real, n: 1 }) ?? '', /n is number, not null/);
  assert.match(compare({ ...real, more: 1 }) ?? '', /more is not in the real one/);
});
