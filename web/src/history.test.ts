import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { RouterSnapshot } from '../../src/apps/up/snapshot.ts';
import { appendSnapshot, emptyHistory, type History, pointsMax, ratesAt } from './history.ts';

test('rates are what the counters grew in ten seconds', () => {
  let history = emptyHistory;
  for (let second = 0; second <= 30; second++) {
    history = append(history, second, {
      hits: second * 30,
      queries: second * 40,
      out: second * 50,
    });
  }
  assert.deepEqual(ratesAt(history.engines.get('e') ?? []), {
    hitRate: 0.75,
    promptTokensPerSecond: 0,
    generationTokensPerSecond: 50,
  });
});

test('an engine that starts anew does not give a negative rate', () => {
  let history = append(emptyHistory, 1, { hits: 900, queries: 1000, out: 5000 });
  history = append(history, 2, { hits: 0, queries: 0, out: 10 });
  const rates = ratesAt(history.engines.get('e') ?? []);
  assert.equal(rates.hitRate, null);
  assert.equal(rates.generationTokensPerSecond, 10);
});

test('a router whose uptime falls has restarted, and the page knows when', () => {
  let history = append(emptyHistory, 100, {});
  assert.equal(history.restartedAtSeconds, undefined);
  history = appendSnapshot(history, { ...snapshot(100, {}), uptimeSeconds: 2 }, 107);
  assert.equal(history.restartedAtSeconds, 107);
});

test('the history keeps five minutes and forgets engines that are gone', () => {
  let history = emptyHistory;
  for (let second = 0; second < pointsMax + 10; second++) history = append(history, second, {});
  assert.equal(history.times.length, pointsMax);
  assert.equal(history.engines.get('e')?.length, pointsMax);
  history = appendSnapshot(history, { ...snapshot(999, {}), engines: [] }, 999);
  assert.equal(history.engines.size, 0);
});

interface Counters {
  readonly hits?: number;
  readonly queries?: number;
  readonly out?: number;
}

function append(history: History, second: number, counters: Counters): History {
  return appendSnapshot(history, snapshot(second, counters), second);
}

function snapshot(second: number, { hits = 0, queries = 0, out = 0 }: Counters): RouterSnapshot {
  return {
    policy: 'predictive',
    version: '0',
    uptimeSeconds: second,
    requests: 0,
    errors: 0,
    requestsPerSecond: 0,
    inflight: 0,
    engines: [
      {
        engine_id: 'e',
        url: 'e',
        serving_models: [],
        state: 'live',
        reason: '',
        load: { inflight: 0, prefilling: 0, prefillTokens: 0, decodeTokens: 0 },
        reported: {
          ageSeconds: 0,
          running: 0,
          waiting: 0,
          kvUsage: 0,
          blocksTotal: 0,
          blocksUsed: 0,
          prefixCacheQueries: queries,
          prefixCacheHits: hits,
          preemptions: 0,
          promptTokens: 0,
          generationTokens: out,
        },
        totals: { requests: 0, errors: 0, retries: 0 },
      },
    ],
  };
}
