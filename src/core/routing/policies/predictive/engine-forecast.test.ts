import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type Attempt, EngineForecast, prefillWork } from './engine-forecast.ts';
import { ForecastTable } from './forecast-row.ts';
import { speedPrior } from './prefill-speed.ts';

/** Of an engine that computes a short and a long prompt in each step, the long one from another router. */
function learnedSeconds(newsSeconds: number): number {
  const forecast = new EngineForecast(speedPrior, new ForecastTable());
  const stepSeconds = 0.4;
  for (let step = 0; step < 50; step++) {
    const sentSeconds = step * stepSeconds;
    const attempts = [false, true].map((isHeard): Attempt => {
      const promptTokens = isHeard ? 6000 : 500;
      const work = prefillWork(promptTokens, 0);
      return { promptTokens, cachedTokens: 0, work, sentSeconds, isHeard };
    });
    for (const attempt of attempts) forecast.sent(attempt, sentSeconds, true, 1);
    for (const attempt of attempts) {
      const now = sentSeconds + stepSeconds + (attempt.isHeard ? newsSeconds : 0);
      forecast.firstByte(attempt, now - sentSeconds, now, speedPrior);
      forecast.finished(attempt, true, now);
    }
  }
  return forecast.row.secondsFor(prefillWork(6000, 0));
}

test('news that comes late by turns of the event loop teaches the speed that news at once does', () => {
  const atOnce = learnedSeconds(0);
  for (const newsSeconds of [0.001, 0.006, 0.02, 0.05]) {
    const late = learnedSeconds(newsSeconds);
    assert.ok(Math.abs(late / atOnce - 1) < 0.05, `${late} s late, ${atOnce} s at once`);
  }
});
