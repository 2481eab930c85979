import assert from 'node:assert/strict';
import { test } from 'node:test';
import { RateMeter } from './rate-meter.ts';

test('a rate is the mean over the last whole seconds of the window', () => {
  const meter = new RateMeter({ windowSeconds: 2 });
  for (const at of [10, 10.5, 10.9, 11.2]) meter.count(at);
  assert.equal(meter.perSecond(11.9), 1.5);
  assert.equal(meter.perSecond(12), 2);
  assert.equal(meter.perSecond(13), 0.5);
  assert.equal(meter.perSecond(14), 0);
  assert.equal(meter.perSecond(1e6), 0);
});
