import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ArrivalForecast } from './arrival-forecast.ts';

/** A look every 15 s; `rate` gives the requests per second by the time. */
function followed(rate: (atSeconds: number) => number, seconds: number): ArrivalForecast {
  const forecast = new ArrivalForecast();
  let arrived = 0;
  for (let at = 0; at <= seconds; at += 15) {
    arrived += rate(at) * 15;
    forecast.add(at, arrived);
  }
  return forecast;
}

test('a steady rate stays, however far one looks', () => {
  const forecast = followed(() => 4, 600);
  assert.equal(forecast.perSecond, 4);
  assert.equal(forecast.highestWithin(600), 4);
});

test('a rising rate is followed to the end of a start-up', () => {
  const forecast = followed((at) => at / 100, 600);
  // Now it is 6, and 1 more in 100 s.
  assert.ok(Math.abs(forecast.highestWithin(120) - 7.2) < 0.1, `${forecast.highestWithin(120)}`);
});

test('a falling rate is not expected to fall further: engines go when they are not needed, not before', () => {
  const forecast = followed((at) => 10 - at / 100, 600);
  assert.equal(forecast.highestWithin(120), forecast.perSecond);
});

test('noise is no trend', () => {
  // Up and down by a third, from a fixed sequence that ends high.
  const noise = [4, 5, 3, 5, 4, 3, 4, 5, 3, 4, 5, 4, 3, 5, 4, 3, 4, 3, 5, 5];
  const forecast = followed((at) => noise[(at / 15) % noise.length] as number, 19 * 15);
  assert.equal(forecast.highestWithin(300), forecast.perSecond);
});

test('a counter that starts again at 0 counts as no arrivals, not as negative ones', () => {
  const forecast = new ArrivalForecast();
  forecast.add(0, 1000);
  forecast.add(15, 1060);
  forecast.add(30, 10);
  forecast.add(45, 70);
  assert.equal(forecast.perSecond, 4);
});

test('a jump counts at once, as half a minute of it is no chance', () => {
  const forecast = followed((at) => (at > 570 ? 20 : 2), 600);
  assert.equal(forecast.perSecond, 20);
});
