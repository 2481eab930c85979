import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { randomInteger, seededRandom } from '../../../base/index.ts';
import { PrefillSpeed, type SpeedLine, secondsOn, speedPrior } from './prefill-speed.ts';

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

test('an engine without observations gets the prior', () => {
  close(new PrefillSpeed().secondsFor(10_000), 1.03, 1e-9);
});

test('a line gives the overhead and the seconds of each token', () => {
  assert.equal(secondsOn({ overheadSeconds: 0.5, secondsPerToken: 0.25 }, 6), 2);
});

/** A speed that nothing draws to its prior. */
const ofFleet = () => new PrefillSpeed(speedPrior, undefined, true);

test('the line is learned within a few dozen noisy observations', () => {
  const speed = ofFleet();
  learn(speed, { overheadSeconds: 0.02, secondsPerToken: 1 / 40_000, noise: 0.2 }, 60);
  close(speed.secondsFor(10_000), 0.27, 0.1);
  close(speed.secondsFor(0), 0.02, 0.5);
});

test('learns that an engine has become three times slower, and that it has recovered', () => {
  const speed = new PrefillSpeed();
  const fast = { overheadSeconds: 0.02, secondsPerToken: 1 / 30_000 };
  learn(speed, fast, 200);
  learn(speed, { overheadSeconds: 0.06, secondsPerToken: 1 / 10_000 }, 100);
  assert.ok(speed.secondsFor(10_000) > 0.7, `${speed.secondsFor(10_000)}`);
  learn(speed, fast, 200);
  assert.ok(speed.secondsFor(10_000) < 0.5, `${speed.secondsFor(10_000)}`);
});

test('one outlier barely moves the prediction', () => {
  const speed = new PrefillSpeed();
  learn(speed, { overheadSeconds: 0.02, secondsPerToken: 1 / 30_000 }, 200);
  const before = speed.secondsFor(10_000);
  speed.observe(10_000, 600, 200, speedPrior);
  assert.ok(speed.secondsFor(10_000) < 1.5 * before);
});

test('without traffic the speed returns to that of the fleet', () => {
  const speed = new PrefillSpeed();
  const fleet = { overheadSeconds: 0.01, secondsPerToken: 1 / 20_000 };
  learn(speed, { overheadSeconds: 0.01, secondsPerToken: 1 / 2000 }, 100);
  assert.ok(speed.secondsFor(10_000) > 3);
  for (let seconds = 100; seconds < 7200; seconds += 60) speed.age(seconds, fleet);
  close(speed.secondsFor(10_000), 0.51, 0.1);
});

test('predictions are positive, finite, and grow with the tokens, whatever is observed', () => {
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

/** The same by the book: every observation kept, with its weight and its age. */
class ReferenceSpeed {
  readonly #observed: {
    tokens: number;
    seconds: number;
    weight: number;
    age: number;
    deviation: number;
  }[] = [];
  readonly #isFleet: boolean;
  #updatedSeconds = 0;
  #line = speedPrior;

  constructor(isFleet: boolean) {
    this.#isFleet = isFleet;
  }

  get line(): SpeedLine {
    return this.#line;
  }

  secondsFor(tokens: number): number {
    return this.#line.overheadSeconds + this.#line.secondsPerToken * tokens;
  }

  observe(tokens: number, seconds: number, now: number, prior: SpeedLine): void {
    this.#forget(0.5 ** (1 / 64), now);
    const expected = this.secondsFor(tokens);
    const clamped = Math.min(Math.max(seconds, expected / 8), 8 * expected);
    const deviation = clamped / secondsOn(prior, tokens) - 1;
    this.#observed.push({ tokens, seconds: clamped, weight: relative(tokens), age: 1, deviation });
    this.#fit(prior);
  }

  age(now: number, prior: SpeedLine): void {
    if (now - this.#updatedSeconds >= 37.5) this.#forget(1, now);
    this.#fit(prior);
  }

  #forget(factor: number, now: number): void {
    const keep = factor * 0.5 ** ((now - this.#updatedSeconds) / 300);
    for (const one of this.#observed) {
      one.weight *= keep;
      one.age *= keep;
    }
    this.#updatedSeconds = now;
  }

  #fit(prior: SpeedLine): void {
    const priorSeconds = prior.overheadSeconds + prior.secondsPerToken * 8192;
    const points = [
      ...this.#observed,
      { tokens: 0, seconds: prior.overheadSeconds, weight: 1 },
      { tokens: 8192, seconds: priorSeconds, weight: relative(8192) },
    ];
    const sum = (of: (point: (typeof points)[number]) => number) =>
      points.reduce((total, point) => total + point.weight * of(point), 0);
    const weight = sum(() => 1);
    const meanTokens = sum(({ tokens }) => tokens) / weight;
    const meanSeconds = sum(({ seconds }) => seconds) / weight;
    const slope =
      sum(({ tokens, seconds }) => (tokens - meanTokens) * (seconds - meanSeconds)) /
      sum(({ tokens }) => (tokens - meanTokens) ** 2);
    const overheadSeconds = meanSeconds - slope * meanTokens;
    if (overheadSeconds < 1e-4) {
      const through = sum(({ tokens, seconds }) => tokens * (seconds - 1e-4));
      const best = through / sum(({ tokens }) => tokens ** 2);
      this.#line = { overheadSeconds: 1e-4, secondsPerToken: Math.max(best, 1e-7) };
    } else if (slope < 1e-7) {
      this.#line = {
        overheadSeconds: meanSeconds - 1e-7 * meanTokens,
        secondsPerToken: 1e-7,
      };
    } else {
      this.#line = { overheadSeconds, secondsPerToken: slope };
    }
    if (!this.#isFleet) this.#shrink(prior);
  }

  #shrink(prior: SpeedLine): void {
    const all = (of: (deviation: number) => number) =>
      this.#observed.reduce((total, { age, deviation }) => total + age * of(deviation), 0);
    const squares = all((deviation) => deviation ** 2);
    if (squares === 0) return;
    const own = Math.max(0, 1 - 9 / (all((deviation) => deviation) ** 2 / squares));
    const { overheadSeconds, secondsPerToken } = this.#line;
    this.#line = {
      overheadSeconds: (1 - own) * prior.overheadSeconds + own * overheadSeconds,
      secondsPerToken: (1 - own) * prior.secondsPerToken + own * secondsPerToken,
    };
  }
}

function relative(tokens: number): number {
  return (1024 / (1024 + tokens)) ** 2;
}

test('the line is the weighted least-squares fit of all observations, drawn to the prior unless they agree', () => {
  const step = fc.record({
    afterSeconds: fc.constantFrom(0, 0.01, 1, 30, 37.5, 300),
    kind: fc.constantFrom('observe' as const, 'observe' as const, 'age' as const),
    tokens: fc.nat(30_000),
    // Also steep, flat and falling lines.
    seconds: fc.double({ min: 0, max: 5, noNaN: true }),
    prior: fc.constantFrom(speedPrior, { overheadSeconds: 0.01, secondsPerToken: 2e-5 }),
  });
  fc.assert(
    fc.property(fc.array(step, { minLength: 1, maxLength: 40 }), fc.boolean(), (steps, isFleet) => {
      const numbers = new Float64Array(28).fill(7);
      numbers.fill(0, 5, 18);
      const speed = new PrefillSpeed(speedPrior, { numbers, at: 5 }, isFleet);
      const reference = new ReferenceSpeed(isFleet);
      let now = 0;
      for (const { kind, tokens, seconds, prior, afterSeconds } of steps) {
        now += afterSeconds;
        if (kind === 'age') {
          speed.age(now, prior);
          reference.age(now, prior);
        } else {
          speed.observe(tokens, seconds, now, prior);
          reference.observe(tokens, seconds, now, prior);
        }
        for (const asked of [0, 100, 10_000]) {
          close(speed.secondsFor(asked), reference.secondsFor(asked), 1e-6);
        }
        close(speed.line.overheadSeconds, speed.secondsFor(0), 1e-9);
        close(speed.line.secondsPerToken, reference.line.secondsPerToken, 1e-6);
        assert.equal(speed.line, speed.line);
      }
      const around = [...numbers.subarray(0, 5), ...numbers.subarray(18)];
      assert.deepEqual(around, new Array(15).fill(7), 'its row alone is written');
    }),
    { numRuns: 300 },
  );
});

test('observations fade only while none can be made', () => {
  const slow = { overheadSeconds: 0.01, secondsPerToken: 1 / 2000 };
  const after = (held: boolean) => {
    const speed = new PrefillSpeed();
    learn(speed, slow, 100);
    if (held) speed.hold(3600);
    speed.age(3630, speedPrior);
    return speed.secondsFor(10_000);
  };
  assert.ok(after(true) > 1.2 * after(false), `${after(true)} against ${after(false)}`);
});

test('an engine without observations has exactly its prior, however often it ages', () => {
  for (const secondsPerToken of [1e-4, 3e-5, 1 / 7000]) {
    const prior = { overheadSeconds: 0.03, secondsPerToken };
    const speed = new PrefillSpeed(prior);
    for (let seconds = 0; seconds < 3; seconds++) speed.age(seconds, prior);
    assert.deepEqual(speed.line, prior);
  }
});

test('a prior of which only one number changes is adopted', () => {
  const speed = new PrefillSpeed();
  for (const changed of [{ overheadSeconds: 0.06 }, { secondsPerToken: 3e-4 }]) {
    const prior = { ...speedPrior, ...changed };
    speed.age(0, prior);
    close(speed.secondsFor(1000), prior.overheadSeconds + 1000 * prior.secondsPerToken, 1e-9);
  }
});

test('a speed returns to what was known before, and to nothing else', () => {
  const numbers = new Float64Array(33);
  const speed = new PrefillSpeed(speedPrior, { numbers, at: 10 });
  const engine = { overheadSeconds: 0.02, secondsPerToken: 1 / 40_000 };
  learn(speed, engine, 20);
  const [snapshot, before] = [speed.snapshot(), speed.line];
  learn(speed, { overheadSeconds: 1, secondsPerToken: 1 / 100 }, 20);
  assert.notDeepEqual(speed.line, before);
  speed.restore(snapshot);
  assert.deepEqual(speed.line, before);
  assert.deepEqual(speed.snapshot(), snapshot);
  const around = [...numbers.subarray(0, 10), ...numbers.subarray(23)];
  assert.deepEqual(around, new Array(20).fill(0));
});

const fleetLine: SpeedLine = { overheadSeconds: 0.01, secondsPerToken: 5e-5 };
/** Observations of 1,000 tokens, each so many times what the fleet takes. */
function after(...factors: readonly number[]): number {
  const speed = new PrefillSpeed(fleetLine);
  factors.forEach((factor, i) => {
    speed.observe(1000, 0.06 * factor, i, fleetLine);
  });
  return speed.secondsFor(1000) / 0.06;
}

test('a few observations that are far out are no evidence: the engine counts as the fleet does', () => {
  close(after(8, 8), 1, 1e-9);
  close(after(8, 8, 8, 8, 8, 8, 8, 8), 1, 1e-9);
  close(after(8, 7, 6, 5, ...new Array(20).fill(1)), 1, 1e-9);
});

test('observations that deviate by chance are none either', () => {
  const random = seededRandom(5);
  for (let run = 0; run < 50; run++) {
    const factors = Array.from({ length: 60 }, () => 0.5 + random.next());
    close(after(...factors), 1, 0.1);
  }
});

test('an engine that is always slower, or always faster, has its own speed after a few dozen observations', () => {
  for (const factor of [0.5, 1.5, 3]) {
    const few = after(...new Array(12).fill(factor));
    assert.ok(Math.abs(few - 1) < 0.5 * Math.abs(factor - 1), `${few} after 12 of ${factor}`);
    close(after(...new Array(200).fill(factor)), factor, 0.2);
  }
});

test('a disturbed engine has its own speed whatever others have, until it is as before', () => {
  const speed = new PrefillSpeed(fleetLine);
  const before = speed.snapshot();
  speed.standAlone(true);
  speed.observe(1000, 0.48, 0, fleetLine);
  assert.ok(speed.secondsFor(1000) > 2 * 0.06);
  speed.restore(before);
  speed.observe(1000, 0.48, 0, fleetLine);
  close(speed.secondsFor(1000), 0.06, 1e-9);
});
