import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { RequestRecord } from '../../core/stats/index.ts';
import { requestsCsv } from './requests-csv.ts';
import { isLongEnough, steadyFromSeconds } from './steady-part.ts';

function record(sentSeconds: number, more: Partial<RequestRecord> = {}): RequestRecord {
  return {
    scheduledSeconds: sentSeconds,
    sentSeconds,
    chunkSeconds: [sentSeconds + 0.25, sentSeconds + 1],
    promptTokens: 12,
    outputTokens: 4,
    cachedTokens: undefined,
    engine: undefined,
    error: undefined,
    ...more,
  };
}

test('the questions of each user are numbered; failed requests are left out', () => {
  const failed = { error: { kind: 'http_503', message: 'busy, "very"' } };
  const csv = requestsCsv([
    record(0, { session: 'b' }),
    record(1, { session: 'a' }),
    record(2, { session: 'b', ...failed }),
    record(3, { session: 'b' }),
    record(4),
  ]);
  assert.equal(
    csv,
    [
      'prompt_tokens,generation_tokens,ttft,generation_time,user_id,question_id,launch_time,finish_time',
      '12,4,0.25,0.75,1,1,0,1',
      '12,4,0.25,0.75,2,1,1,2',
      '12,4,0.25,0.75,1,2,3,4',
      '12,4,0.25,0.75,3,1,4,5',
      '',
    ].join('\n'),
  );
});

test('the steady state begins after slow first responses, in order of sending', () => {
  const records = Array.from({ length: 100 }, (_, i) => {
    const first = i + (i < 10 ? 5 - i / 2 : 0.2);
    return record(i, { chunkSeconds: [first, first + 1] });
  });
  assert.equal(isLongEnough(records), true);
  const from = steadyFromSeconds(records.toReversed()) ?? 0;
  assert.ok(from >= 10 && from <= 50, `${from}`);
  assert.equal(isLongEnough(records.slice(0, 49)), false);
});

test('a server that gets ever slower has no steady state', () => {
  const records = Array.from({ length: 100 }, (_, i) =>
    record(i, { chunkSeconds: [2 * i + 1, 2 * i + 2] }),
  );
  assert.equal(steadyFromSeconds(records), undefined);
});
