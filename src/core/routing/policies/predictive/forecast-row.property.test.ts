// What a pick reads of a row is what the engine says when it is asked.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { type Attempt, EngineForecast } from './engine-forecast.ts';
import { ForecastTable } from './forecast-row.ts';
import { speedPrior } from './prefill-speed.ts';

const event = fc.record({
  kind: fc.constantFrom('sent', 'sent', 'firstByte', 'finished', 'reported', 'nothing'),
  afterSeconds: fc.double({ min: 0, max: 40, noNaN: true }),
  promptTokens: fc.integer({ min: 1, max: 40_000 }),
  streams: fc.boolean(),
  running: fc.nat(20),
  waiting: fc.nat(5),
  kvUsage: fc.double({ min: 0, max: 1, noNaN: true }),
});

test('a row gives the same wait and free memory as its engine, whatever happens there', () => {
  let noted = 0;
  fc.assert(
    fc.property(fc.array(event, { maxLength: 60 }), (events) => {
      const table = new ForecastTable();
      const forecast = new EngineForecast(speedPrior, table);
      const attempts: Attempt[] = [];
      let now = 0;
      let reported: Parameters<EngineForecast['reported']>[0] | undefined;
      for (const { kind, afterSeconds, promptTokens, streams, ...load } of events) {
        now += afterSeconds;
        const oldest = attempts[0];
        if (kind === 'sent') {
          const attempt = attemptOf(promptTokens, now);
          attempts.push(attempt);
          forecast.sent(attempt, now, streams, 1);
        } else if (kind === 'firstByte' && oldest) {
          forecast.firstByte(oldest, now - oldest.sentSeconds, now, speedPrior);
        } else if (kind === 'finished' && oldest) {
          forecast.finished(oldest, true, now);
          attempts.shift();
        } else if (kind === 'reported') {
          reported = { ...load, atSeconds: now, blocksTotal: 4000, blockTokens: 16 };
          forecast.reported(reported, now);
        }
        const wait = forecast.row.waitSeconds(now);
        const hasRoom = forecast.row.hasRoom(promptTokens);
        if (hasRoom) assert.equal(forecast.memorySeconds(reported, promptTokens, now), 0);
        if (wait !== undefined) {
          noted++;
          assert.equal(wait, forecast.waitSeconds(now));
        }
      }
    }),
    { numRuns: 200 },
  );
  assert.ok(noted > 500, `${noted} waits came from rows`);
});

test('an attempt that outlives its engine’s entry does not write into the row of the next engine', () => {
  const table = new ForecastTable();
  const gone = new EngineForecast(speedPrior, table);
  const attempt = attemptOf(9000, 0);
  gone.sent(attempt, 0, true, 1);
  const place = gone.row.at;
  gone.row.leave();
  const next = new EngineForecast(speedPrior, table);
  assert.equal(next.row.at, place, 'the place is given again');
  const before = Array.from(table.numbers);
  gone.firstByte(attempt, 4, 4, speedPrior);
  gone.finished(attempt, true, 5);
  gone.sent(attempt, 5, true, 1);
  assert.deepEqual(Array.from(table.numbers), before);
  assert.equal(next.row.waitSeconds(5), 0);
  assert.ok((gone.row.waitSeconds(5) ?? 0) > 0);
});

function attemptOf(promptTokens: number, sentSeconds: number): Attempt {
  return {
    ...{ promptTokens, cachedTokens: 0, work: promptTokens, sentSeconds, isFromPeer: false },
    ...{ queued: undefined, prefixHash: undefined, prefixTokens: 0 },
  };
}
