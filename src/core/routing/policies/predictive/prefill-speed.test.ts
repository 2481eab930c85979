import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { randomInteger, seededRandom } from '../../../base/index.ts';
import { PrefillSpeed, speedPrior } from './prefill-speed.ts';

/** Feeds observations of an engine with this line; `noise` is the relative error, uniform. */
function learn(
  speed: PrefillSpeed,
  engine: { overheadSeconds: number; secondsPerToken: number; noise?: number },
  observations: number,
) {
  const random = seededRandom(3);
  for (let i = 0; i < observations; i++) {
    const tokens = randomInteger(random, 20_000);
    const error = 1 + (engine.noise ?? 0) * (2 * random.next() - 1);
    const seconds = (engine.overheadSeconds + engine.secondsPerToken * tokens) * error;
    speed.observe(tokens, seconds, i, speedPrior);
  }
}

const close = (actual: number, expected: number, share: number) =>
  assert.ok(Math.abs(actual / expected - 1) < share, `${actual}, expected ${expected}`);

test('an engine of which nothing is known is taken for the prior', () => {
  close(new PrefillSpeed().secondsFor(10_000), 1.03, 1e-9);
});

test('the line is learned within a few dozen noisy observations', () => {
  const speed = new PrefillSpeed();
  learn(speed, { overheadSeconds: 0.02, secondsPerToken: 1 / 40_000, noise: 0.2 }, 60);
  close(speed.secondsFor(10_000), 0.27, 0.1);
  close(speed.secondsFor(0), 0.02, 0.5);
});

test('an engine that turns three times slower is noticed, and so is its recovery', () => {
  const speed = new PrefillSpeed();
  const fast = { overheadSeconds: 0.02, secondsPerToken: 1 / 30_000 };
  learn(speed, fast, 200);
  learn(speed, { overheadSeconds: 0.06, secondsPerToken: 1 / 10_000 }, 100);
  assert.ok(speed.secondsFor(10_000) > 0.7, `${speed.secondsFor(10_000)}`);
  learn(speed, fast, 200);
  assert.ok(speed.secondsFor(10_000) < 0.5, `${speed.secondsFor(10_000)}`);
});

test('one wild observation moves the prediction little', () => {
  const speed = new PrefillSpeed();
  learn(speed, { overheadSeconds: 0.02, secondsPerToken: 1 / 30_000 }, 200);
  const before = speed.secondsFor(10_000);
  speed.observe(10_000, 600, 200, speedPrior);
  assert.ok(speed.secondsFor(10_000) < 1.5 * before);
});

test('without traffic an engine returns to what its fleet does', () => {
  const speed = new PrefillSpeed();
  const fleet = { overheadSeconds: 0.01, secondsPerToken: 1 / 20_000 };
  learn(speed, { overheadSeconds: 0.01, secondsPerToken: 1 / 2000 }, 100);
  assert.ok(speed.secondsFor(10_000) > 3);
  for (let seconds = 100; seconds < 7200; seconds += 60) speed.age(seconds, fleet);
  close(speed.secondsFor(10_000), 0.51, 0.1);
});

test('whatever is observed, predictions are positive, finite, and grow with the tokens', () => {
  const observation = fc.tuple(fc.nat(200_000), fc.double({ min: 0, max: 1e4, noNaN: true }));
  fc.assert(
    fc.property(fc.array(observation, { maxLength: 50 }), (observations) => {
      const speed = new PrefillSpeed();
      observations.forEach(([tokens, seconds], i) => {
        speed.observe(tokens, seconds, i * 100, speedPrior);
        const [none, some, many] = [0, 1000, 200_000].map((n) => speed.secondsFor(n));
        assert.ok(none !== undefined && some !== undefined && many !== undefined);
        assert.ok(none > 0 && some > none && many > some && Number.isFinite(many));
      });
    }),
  );
});
