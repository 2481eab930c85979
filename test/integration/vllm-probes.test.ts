// The embedded engine against 2,389 odd requests that a real vLLM 0.32.0 was sent: wrong methods, HTTP
// edges, broken bodies, every field of the routes. What differs is listed in
// support/probe-differences.ts, each with its reason.
import assert from 'node:assert/strict';
import test from 'node:test';
import { knownProbeDifferences as known } from '../support/probe-differences.ts';
import { runWireCases, type WireResult } from '../support/wire-run.ts';

const files = { cases: 'probes', recording: 'probes-0.32.0' };

test('the server with all flags answers as the real one', async () => {
  assert.deepEqual(await unexplained('main'), []);
});

test('a server with an API key and a reasoning parser answers as the real one', async () => {
  assert.deepEqual(await unexplained('auth'), []);
});

test('each known difference is one', async () => {
  const differing = [...(await differences('main')), ...(await differences('auth'))];
  const idle = known.filter(
    ({ ids }) => !differing.some((line) => ids.test(line.split(': ')[0] ?? '')),
  );
  assert.deepEqual(
    idle.map(({ what }) => what),
    [],
  );
});

test('streamed derender carries its state to the letter', async () => {
  const chunks = (await results('main')).filter(
    ({ one, real }) => /^render\/(dt|ds)-/.test(one.id) && real.status === 200,
  );
  assert.ok(chunks.length >= 10);
  const comparable = (body = '') => body.replace(/"created":\d+/, '');
  for (const { one, real, own } of chunks) {
    assert.deepEqual(
      JSON.parse(comparable(own.body).replace(',,', ',')),
      JSON.parse(comparable(real.body).replace(',,', ',')),
      one.id,
    );
  }
});

async function unexplained(server: 'main' | 'auth'): Promise<string[]> {
  const all = await differences(server);
  return all.filter((line) => !known.some(({ ids }) => ids.test(line.split(': ')[0] ?? '')));
}

async function differences(server: 'main' | 'auth'): Promise<string[]> {
  return (await results(server)).flatMap(({ one, difference }) =>
    difference === undefined ? [] : [`${one.id}: ${difference}`],
  );
}

const runs = new Map<string, Promise<WireResult[]>>();

function results(server: 'main' | 'auth'): Promise<WireResult[]> {
  const running = runs.get(server) ?? runWireCases(server, files);
  runs.set(server, running);
  return running;
}
