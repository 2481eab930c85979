import assert from 'node:assert/strict';
import { test } from 'node:test';
import { randomIds, Sampler, type Span, samplingDefaults } from '../../core/telemetry/index.ts';
import { tracedLoader } from './load-spans.ts';

/** A store whose values `a` and `b` are below memory, and a loader that brings only some of them. */
function begin(brings: readonly string[], share = 1) {
  const below = new Set(['a', 'b']);
  const spans: Span[] = [];
  let nowMs = 1_000;
  const tracing = {
    ids: randomIds((count) => '1'.repeat(count)),
    newTrace: () => assert.fail('each span has a trace id of its own'),
    sampler: new Sampler({ ...samplingDefaults, share }),
    exporter: { add: (more: readonly Span[]) => void spans.push(...more), addLater: assert.fail },
    unixMs: () => nowMs,
  };
  const load = tracedLoader(
    async () => {
      nowMs += 20;
      for (const key of brings) below.delete(key);
    },
    { isBelow: (key) => below.has(key) },
    'lm',
    tracing,
  );
  return { load, spans };
}

test('values that come from below memory are a span', async () => {
  const { load, spans } = begin(['a', 'b']);
  await load(['a', 'b', 'in memory']);
  assert.equal(spans.length, 1);
  const [span] = spans;
  assert.deepEqual([span?.name, span?.kind, span?.error], ['cache.load', 'server', undefined]);
  assert.equal((span?.endMs ?? 0) - (span?.startMs ?? 0), 20);
  assert.equal(span?.attributes['spillway.cache.values'], 2);
});

test('a value that does not come in time is an error, which is always kept', async () => {
  const complete = begin(['a', 'b'], 0);
  await complete.load(['a', 'b']);
  assert.equal(complete.spans.length, 0);
  const late = begin(['a'], 0);
  await late.load(['a', 'b']);
  assert.equal(late.spans[0]?.error, '1 of 2 values did not come in time');
});
