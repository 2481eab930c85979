import assert from 'node:assert/strict';
import { test } from 'node:test';
import { testSeed } from '../../../test/support/seed.ts';
import { seededRandom } from '../base/index.ts';
import { randomIds, Sampler, samplingDefaults } from './index.ts';

const seed = testSeed('sampled traces');
const cheap = { isError: false, seconds: 1, inputTokens: 1000, outputTokens: 100 };

function ids(seedOfIds: number) {
  const random = seededRandom(seedOfIds);
  const digit = () => Math.floor(random.next() * 16).toString(16);
  return randomIds((count) => Array.from({ length: count }, digit).join(''));
}

test('keeps each error and each expensive request, and of the rest what the head rule drew', () => {
  const sampler = new Sampler(samplingDefaults);
  for (const isSampled of [true, false]) {
    assert.equal(sampler.tail(isSampled, { ...cheap, isError: true }), 'error');
    assert.equal(sampler.tail(isSampled, { ...cheap, outputTokens: 10_000 }), 'expensive');
    assert.equal(sampler.tail(isSampled, { ...cheap, inputTokens: 40_000 }), 'expensive');
    assert.equal(sampler.tail(isSampled, { ...cheap, seconds: 60 }), 'expensive');
  }
  assert.equal(sampler.tail(true, cheap), 'sampled');
  assert.equal(sampler.tail(false, cheap), undefined);
});

test('a request just below the limits is not expensive', () => {
  const sampler = new Sampler(samplingDefaults);
  const work = { ...cheap, seconds: 59.99, inputTokens: 0, outputTokens: 9_999 };
  assert.equal(sampler.tail(false, work), undefined);
});

test('draws the share of the traces that have no caller', () => {
  const source = ids(seed);
  const drawn = (share: number) => {
    const sampler = new Sampler({ ...samplingDefaults, share });
    let count = 0;
    for (let i = 0; i < 20_000; i++) if (sampler.head(source.traceId(), undefined)) count++;
    return count;
  };
  // Five standard deviations of a binomial count.
  assert.ok(Math.abs(drawn(0.05) - 1000) < 5 * Math.sqrt(20_000 * 0.05 * 0.95));
  assert.equal(drawn(0), 0);
  assert.equal(drawn(1), 20_000);
});

test('processes with the same share decide alike about a trace; a caller decides for all', () => {
  const source = ids(seed);
  const [first, second] = [new Sampler(samplingDefaults), new Sampler(samplingDefaults)];
  for (let i = 0; i < 1000; i++) {
    const traceId = source.traceId();
    assert.equal(first.head(traceId, undefined), second.head(traceId, undefined));
    assert.equal(first.head(traceId, true), true);
    assert.equal(first.head(traceId, false), false);
  }
});

test('refuses a share that is none', () => {
  for (const share of [-0.1, 1.1, Number.NaN]) {
    assert.throws(() => new Sampler({ ...samplingDefaults, share }), RangeError);
  }
});

test('never makes an id of zeros, which would be invalid', () => {
  const answers = ['0'.repeat(32), 'a'.repeat(32), '0'.repeat(16), 'b'.repeat(16)];
  const source = randomIds(() => answers.shift() ?? '');
  assert.equal(source.traceId(), 'a'.repeat(32));
  assert.equal(source.spanId(), 'b'.repeat(16));
});
