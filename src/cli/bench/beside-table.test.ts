import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type RequestRecord, reportOf, type ServeReport } from '../../core/stats/index.ts';
import { besideTable } from './beside-table.ts';

const limits = { ttftMs: undefined, tpotMs: undefined, e2eMs: undefined };

/** Ten requests of 100 prompt tokens each, some of them cached. */
function report(cachedTokens: number): ServeReport {
  const records: RequestRecord[] = Array.from({ length: 10 }, (_, at) => ({
    ...{ scheduledSeconds: at, sentSeconds: at, chunkSeconds: [at + 0.1, at + 0.2] },
    ...{ promptTokens: 100, outputTokens: 2, cachedTokens },
    ...{ engine: undefined, error: undefined },
  }));
  return reportOf(records, { durationSeconds: 10, percentiles: [50], limits });
}

test('prompts that the server had cached before are named, since the simulation begins with empty caches', () => {
  const warm = besideTable(report(90), { file: 'v.yaml', report: report(0) });
  assert.match(warm, /^cached tokens +0\.900 +0\.000/m);
  assert.match(
    warm,
    /^WARNING +the server had 90\.0 % of the prompt tokens cached, the simulation 0\.0 %/m,
  );
  const alike = besideTable(report(52), { file: 'v.yaml', report: report(50) });
  assert.doesNotMatch(alike, /WARNING/);
});
