// The view of an engine, and whether its report is current.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { engineView } from '../../../test/support/router-views.ts';
import { currentReport, type EngineState, parseEngineViews } from './engine-view.ts';
import { JsonShapeError } from './json-shape.ts';

const latencies = {
  ttft: { count: 3, p50: 0.1, p90: 0.2, p99: 0.3 },
  tpot: null,
  e2e: { count: 4, p50: 1, p90: 2, p99: 3 },
};

const engine = engineView('a', {
  ...{ emulated: null, latencies },
  rates: {
    ...{ promptTokensPerSecond: 1, generationTokensPerSecond: 2, hitRate: null },
    ...{ hbmHitTokensPerSecond: 3, lowerTierTokensPerSecond: 4 },
  },
  reported: { prefixCacheQueries: null, prefixCacheHits: null, preemptions: null },
  kvEvents: { coverage: 'partial', blocks: 4, problem: null },
});

test('an engine is read back whole, also without a report and KV events', () => {
  const silent = { ...engine, reported: null, rates: null, kvEvents: null };
  assert.deepEqual(parseEngineViews(JSON.stringify([engine, silent])), [engine, silent]);
});

test('the report of an engine that is dead or starting is not current', () => {
  const isCurrent = (state: EngineState) =>
    currentReport(engineView('a', { state, reported: { running: 1 } })) !== null;
  assert.deepEqual(
    ['live', 'draining', 'dead', 'starting'].map((s) => isCurrent(s as EngineState)),
    [...[true, true, false, false]],
  );
});

test('an engine of another shape is refused with the position of the difference', () => {
  const cases: readonly (readonly [unknown, string])[] = [
    [{ engines: [] }, 'the document must be a list, not {"engines":[]}'],
    [
      [engine, { ...engine, state: 'unheard-of' }],
      '[1].state must be one of starting, live, asleep, draining, dead, not "unheard-of"',
    ],
    [
      [{ ...engine, load: { ...engine.load, inflight: '1' } }],
      '[0].load.inflight must be a number, not "1"',
    ],
    [
      [{ ...engine, latencies: { ...latencies, ttft: { count: 1 } } }],
      '[0].latencies.ttft.p50 must be a number, not nothing',
    ],
  ];
  for (const [value, message] of cases) {
    assert.throws(
      () => parseEngineViews(JSON.stringify(value)),
      (error) => error instanceof JsonShapeError && error.message === message,
    );
  }
});
