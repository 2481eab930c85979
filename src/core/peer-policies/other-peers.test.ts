// cache_aware, AIBrix, production-stack, least-request and random.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { engine, promptOf, send } from '../../../test/support/peer-fleet.ts';
import { seededRandom } from '../base/index.ts';
import { KvIndex } from '../kv/index.ts';
import { createPeerPolicy } from './index.ts';

const make = (name: string) =>
  createPeerPolicy(name, { random: seededRandom(1), kvIndex: new KvIndex() });

for (const [prompt, warmRequests, coldRequests, winner, why] of [
  ['abcd', 64, 0, 'warm', '64 requests apart are in balance'],
  ['abcd', 65, 0, 'cold', '65 apart are not'],
  ['abcd', 265, 200, 'warm', 'nor are they below 1.5 times the least'],
  ['abuvwxyz', 1, 0, 'cold', 'a quarter of the prompt is no match'],
  ['abcuvwxyz', 1, 0, 'warm', 'a third is'],
] as const) {
  test(`smg-cache-aware: ${why}`, () => {
    const policy = make('smg-cache-aware');
    const warm = engine('warm', { inflight: warmRequests });
    const cold = engine('cold', { inflight: coldRequests });
    send(policy, promptOf('abcd'), warm);
    assert.equal(policy.pick(promptOf(prompt), [warm, cold], 1).endpoint.url, winner);
  });
}

test('smg-cache-aware: equal matches go to the latest user, equal loads to the engine with fewest requests in total', () => {
  const policy = make('smg-cache-aware');
  const engines = ['a', 'b', 'c'].map((url) => engine(url));
  for (const [i, e] of engines.entries()) if (i !== 1) send(policy, promptOf('abcd'), e, i);
  assert.equal(policy.pick(promptOf('abcd'), engines, 9).endpoint.url, 'c');
  assert.equal(policy.pick(promptOf('uvwx'), engines, 9).endpoint.url, 'b');
});

for (const [loads, winner, why] of [
  [[1, 0, 0, 0], 'cold', 'a match over mean + σ (.25 + .43) is passed by'],
  [[1, 1, 0, 0], 'warm', 'within it (.5 + .5) it is taken'],
  [[9, 8, 8, 1], 'warm', '8 apart is in balance'],
  [[10, 10, 10, 1], 'cold', '9 apart leaves only the least loaded'],
] as const) {
  test(`aibrix-prefix-cache: ${why}`, () => {
    const policy = make('aibrix-prefix-cache');
    const engines = loads.map((inflight, i) => engine(i === 0 ? 'warm' : `cold${i}`, { inflight }));
    send(policy, promptOf('abcd'), engines[0] as (typeof engines)[0]);
    const { url } = policy.pick(promptOf('abcd'), engines, 1).endpoint;
    assert.ok(url.startsWith(winner), url);
  });
}

test('aibrix-prefix-cache: the longest match wins, and is forgotten after 20 minutes', () => {
  const policy = make('aibrix-prefix-cache');
  const [a, b] = [engine('a', { inflight: 1 }), engine('b', { inflight: 1 })];
  send(policy, promptOf('ab'), a);
  send(policy, promptOf('abcd'), b);
  assert.equal(policy.pick(promptOf('abcd'), [a, b], 1200).cachedTokens, 255);
  assert.equal(policy.pick(promptOf('abcd'), [a, b], 1201).cachedTokens, 0);
});

test('production-stack-prefixaware: the longest prefix wins regardless of load', () => {
  const policy = make('production-stack-prefixaware');
  const [a, b] = [engine('a', { inflight: 500, prefillTokens: 1e6 }), engine('b')];
  send(policy, promptOf('a'), a);
  for (let i = 0; i < 20; i++) {
    assert.equal(policy.pick(promptOf('auvw'), [a, b], i).endpoint.url, 'a');
  }
});

test('production-stack-prefixaware: any of the deepest holders may be drawn', () => {
  const policy = make('production-stack-prefixaware');
  const engines = ['a', 'b', 'c'].map((url) => engine(url));
  for (const e of engines.slice(0, 2)) send(policy, promptOf('ab'), e);
  const urls = Array.from({ length: 60 }, () => policy.pick(promptOf('ab'), engines, 1));
  assert.deepEqual([...new Set(urls.map((pick) => pick.endpoint.url))].sort(), ['a', 'b']);
});

test('least-request: the fewest in flight, however long their prompts', () => {
  const engines = [engine('a', { inflight: 2 }), engine('b', { inflight: 1, prefillTokens: 1e6 })];
  const pick = make('least-request').pick(promptOf('a'), engines, 0);
  assert.equal(pick.endpoint.url, 'b');
  assert.deepEqual(pick.scores, [2, 1]);
});

test('random: every engine about equally often, whatever its load', () => {
  const policy = make('random');
  const engines = [0, 9, 99].map((inflight) => engine(`e${inflight}`, { inflight }));
  const counts = new Map<string, number>();
  for (let i = 0; i < 3000; i++) {
    const { url } = policy.pick(promptOf('a'), engines, i).endpoint;
    counts.set(url, (counts.get(url) ?? 0) + 1);
  }
  for (const count of counts.values()) assert.ok(Math.abs(count - 1000) < 120, `${count}`);
});
