import assert from 'node:assert/strict';
import { test } from 'node:test';
import { backlogGrowth } from './index.ts';

const seconds = Array.from({ length: 1000 }, (_, i) => i / 10);

test('a queue that keeps every tenth arrival grows by a tenth; an oscillating one does not grow', () => {
  const growing = seconds.map((_, i) => Math.floor(i / 10));
  assert.ok(Math.abs(backlogGrowth(growing, seconds) - 0.1) < 0.002);
  const swinging = seconds.map((at) => 50 + 20 * Math.sin(at * 3));
  assert.ok(Math.abs(backlogGrowth(swinging, seconds)) < 0.002);
});

test('simultaneous arrivals give no growth', () => {
  assert.equal(backlogGrowth([0, 1, 2], [5, 5, 5]), 0);
});
