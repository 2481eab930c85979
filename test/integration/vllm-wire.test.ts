// The embedded engine against recordings of real vLLM 0.32.0: every request, on all three servers.
import assert from 'node:assert/strict';
import test from 'node:test';
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
