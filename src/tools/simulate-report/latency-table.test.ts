import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type RequestRecord, reportOf } from '../../core/stats/index.ts';
import { latencies, latencyTable } from './index.ts';

const record: RequestRecord = {
  ...{
    scheduledSeconds: 0,
    sentSeconds: 0,
    chunkSeconds: [1, 2],
    promptTokens: 9,
    outputTokens: 2,
  },
  ...{ cachedTokens: undefined, engine: undefined, engineLagSeconds: undefined, error: undefined },
};
const reportWith = (percentiles: readonly number[]) =>
  reportOf([record], { durationSeconds: 2, percentiles, limits: {} });

test('has no column for the median if p50 is one, since both are the same', () => {
  assert.deepEqual(latencies(reportWith([50, 90])).head, ['ms', 'mean', 'p50', 'p90']);
  assert.deepEqual(latencies(reportWith([90])).head, ['ms', 'mean', 'median', 'p90']);
});

test('prints one request in the singular', () => {
  assert.match(latencyTable(reportWith([50])), /^1 request in 2\.0 s: /);
});
