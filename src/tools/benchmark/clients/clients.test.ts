import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import type { LoadSource } from '../load-source.ts';
import { type ServeTraffic, serveSource } from '../serve-traffic.ts';
import { clientCount } from './client-count.ts';
import { partOf, shareOf } from './part.ts';

const traffic: ServeTraffic = {
  ...{ dataset: 'random', count: 20, seed: 7, api: 'completions', timeScale: 1, fields: {} },
  ...{ mayEndEarly: false, workloadSets: [], multiRoundQa: {}, adapters: [] },
  rate: { rate: 10, burstiness: 1 },
  random: { prefixTokens: 0, inputTokens: 20, outputTokens: 100, rangeRatio: 0.5 },
  prefixRepetition: { prefixes: 1, prefixTokens: 16, suffixTokens: 16, outputTokens: 4 },
  end: { requests: 20, seconds: undefined },
};

/** Takes requests as they become due: when, and what is sent. */
function taken(source: LoadSource, untilSeconds: number): (readonly [number, string])[] {
  const all: (readonly [number, string])[] = [];
  while (source.nextSeconds < untilSeconds) {
    const { request, body } = source.take();
    all.push([request.arrivalSeconds, Buffer.from(body).toString()]);
  }
  return all;
}

for (const [name, end] of [
  ['a list', { requests: 20, seconds: undefined }],
  ['a dataset that is repeated', { requests: undefined, seconds: 5 }],
] as const) {
  test(`together, the processes send of ${name} exactly what one sends`, async () => {
    const options = { ...traffic, end };
    const parts = [0, 1, 2].map((index) => serveSource(options, { id: 'm' }, { index, of: 3 }));
    const sent = (await Promise.all(parts)).map((source) => taken(source, 5));
    const whole = taken(await serveSource(options, { id: 'm' }), 5);
    assert.deepEqual(
      sent.flat().sort(([a], [b]) => a - b),
      whole,
    );
    assert.ok(sent.every((part) => part.length >= Math.floor(whole.length / 3) - 2));
  });
}

test('shares add up, and parts are the list', () => {
  fc.assert(
    fc.property(fc.nat(200), fc.integer({ min: 1, max: 9 }), (total, of) => {
      const parts = Array.from({ length: of }, (_, index) => ({ index, of }));
      const items = Array.from({ length: total }, (_, item) => item);
      const shares = parts.map((part) => shareOf(total, part));
      assert.deepEqual(
        parts.map((part) => partOf(items, part).length),
        shares,
      );
      assert.equal(
        shares.reduce((sum, share) => sum + share, 0),
        total,
      );
    }),
  );
});

test('auto takes as many processes as the rate needs, if it is known', () => {
  const auto = (rate: number, more: Partial<ServeTraffic> = {}, users?: number) =>
    clientCount(
      'auto',
      { ...traffic, rate: { rate, burstiness: 1 }, ...more },
      { users, cores: 4 },
    );
  // 100 tokens a response.
  assert.deepEqual(
    [1, 150, 151, 450, 9000].map((rate) => auto(rate)),
    [1, 1, 2, 3, 4],
  );
  assert.equal(auto(100, { timeScale: 3 }), 2, 'in wall-clock seconds');
  assert.equal(auto(Number.POSITIVE_INFINITY), 1);
  assert.equal(auto(9000, {}, 8), 1, 'a closed loop');
  assert.equal(auto(9000, { dataset: 'trace' }), 1);
  assert.equal(auto(9000, { dataset: 'multi-round-qa' }), 1);
  const ramp = { strategy: 'linear', startRate: 1, endRate: 300 } as const;
  assert.equal(auto(9, { rate: { rate: 9, burstiness: 1, rampUp: ramp } }), 2);
});

test('a number of processes is taken as it is, but for users and conversations', () => {
  const count = (wanted: number, more: Partial<ServeTraffic> = {}, users?: number) =>
    clientCount(wanted, { ...traffic, ...more }, { users, cores: 2 });
  assert.deepEqual([count(1), count(5), count(5, {}, 3)], [1, 5, 3]);
  assert.equal(count(1, { dataset: 'multi-round-qa' }), 1);
  assert.throws(
    () => count(2, { dataset: 'workload' }),
    /^InputError: --clients 2: the requests of --dataset-name workload wait/,
  );
});
