import assert from 'node:assert/strict';
import { test } from 'node:test';
import { LatencyWindows, latencyWindowSeconds } from './latency-windows.ts';

/** Whether a figure is within one bucket, 9 %, of the expected one. */
function isNear(found: number | undefined, expected: number): boolean {
  return found !== undefined && Math.abs(found / expected - 1) < 0.1;
}

test('latencies are summed up by engine, by model and over the fleet', () => {
  const windows = new LatencyWindows();
  windows.recorder('http://a', 'm').add('ttft', 0.1, 1);
  windows.recorder('http://a', 'n').add('ttft', 0.4, 1);
  for (const seconds of [0.1, 0.1, 0.1]) windows.recorder('http://b', 'm').add('ttft', seconds, 1);
  const a = windows.engine('http://a', 2);
  assert.equal(a.ttft?.count, 2);
  assert.ok(isNear(a.ttft?.p99, 0.4) && isNear(a.ttft?.p50, 0.1));
  assert.deepEqual([a.tpot, a.e2e], [null, null]);
  const models = windows.models(2);
  assert.deepEqual(
    models.map(({ model, ttft }) => [model, ttft?.count]),
    [
      ['m', 4],
      ['n', 1],
    ],
  );
  assert.equal(windows.all(2).ttft?.count, 5);
  assert.deepEqual(windows.engine('http://c', 2), { ttft: null, tpot: null, e2e: null });
});

test('a request leaves the window after five minutes, and the recent one after a minute', () => {
  const windows = new LatencyWindows();
  windows.recorder('http://a', 'm').add('e2e', 2, 0);
  assert.equal(windows.recent(59).e2e?.count, 1);
  assert.equal(windows.recent(60).e2e, null);
  assert.equal(latencyWindowSeconds, 300);
  assert.equal(windows.engine('http://a', 299).e2e?.count, 1);
  assert.equal(windows.engine('http://a', 300).e2e, null);
  assert.deepEqual(windows.models(300), []);
});

test('no value is lost when many come between two readings', () => {
  const windows = new LatencyWindows();
  const recorder = windows.recorder('http://a', 'm');
  for (let i = 0; i < 3_000; i++) recorder.add('e2e', 1, i / 100);
  assert.equal(windows.all(30).e2e?.count, 3_000);
  assert.equal(windows.recent(30).e2e?.count, 3_000);
});

test('a request counts at its own time, however long after the last reading', () => {
  const windows = new LatencyWindows();
  windows.recorder('http://a', 'm').add('e2e', 2, 10_000);
  assert.equal(windows.all(10_001).e2e?.count, 1);
});

test('latencies are told from 1 ms to 35 minutes, times per token from 0.1 ms to 105 s, with four digits', () => {
  const median = (kind: 'tpot' | 'e2e', seconds: number) => {
    const windows = new LatencyWindows();
    windows.recorder('http://a', 'm').add(kind, seconds, 0);
    return windows.all(0)[kind]?.p50;
  };
  assert.ok(isNear(median('e2e', 0.0001), 0.001) && isNear(median('e2e', 1_000), 1_000));
  assert.ok(isNear(median('e2e', 1e6), 2_097));
  assert.ok(isNear(median('tpot', 0.00001), 0.0001) && isNear(median('tpot', 0.0003), 0.0003));
  assert.ok(isNear(median('tpot', 1e6), 104.9));
  for (const seconds of [0.123456, 1.23456, 12.3456]) {
    const found = median('e2e', seconds) ?? Number.NaN;
    assert.equal(found, Number(found.toPrecision(4)));
  }
});

test('a removed engine leaves no figures and frees its room', () => {
  const windows = new LatencyWindows();
  windows.recorder('http://a', 'm').add('tpot', 0.02, 0);
  windows.removeEngine('http://a');
  assert.equal(windows.all(0).tpot, null);
  windows.removeEngine('http://a');
});

test('beyond 1024 pairs, requests count in the figures of the fleet only', () => {
  const windows = new LatencyWindows();
  windows.removeEngine('http://unknown');
  for (let i = 0; i < 1030; i++) windows.recorder(`http://e${i}`, 'm').add('e2e', 1, 0);
  assert.equal(windows.all(0).e2e?.count, 1030);
  assert.equal(windows.engine('http://e1023', 0).e2e?.count, 1);
  assert.equal(windows.engine('http://e1024', 0).e2e, null);
  windows.removeEngine('http://e0');
  windows.recorder('http://e1024', 'm').add('e2e', 1, 0);
  assert.equal(windows.engine('http://e1024', 0).e2e?.count, 1);
});

test('the model with the most requests comes first, whichever latency they have', () => {
  const windows = new LatencyWindows();
  const add = (model: string, kind: 'ttft' | 'e2e', count: number) => {
    for (let i = 0; i < count; i++) windows.recorder('http://a', model).add(kind, 1, 0);
  };
  // Streams that are under way have a first byte and no end yet; other responses have no first byte.
  add('streams', 'ttft', 2);
  add('few', 'e2e', 1);
  add('many', 'e2e', 3);
  assert.deepEqual(
    windows.models(0).map(({ model }) => model),
    ['many', 'streams', 'few'],
  );
  const tokens = new LatencyWindows();
  tokens.recorder('http://a', 'only tokens').add('tpot', 1, 0);
  tokens.recorder('http://a', 'one').add('e2e', 1, 0);
  assert.deepEqual(
    tokens.models(0).map(({ model }) => model),
    ['one', 'only tokens'],
  );
});
