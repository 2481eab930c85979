import assert from 'node:assert/strict';
import { test } from 'node:test';
import { KvMemory } from './kv-memory.ts';

const blocks = { blocksTotal: 1000, blockTokens: 100 };
const report = (kvUsage: number, atSeconds = 0) => ({
  ...{ ...blocks, kvUsage, atSeconds, running: 1, waiting: 0 },
});

test('a prompt waits only if it does not fit, and never at an engine that does not report its size', () => {
  const memory = new KvMemory();
  assert.equal(memory.waitSeconds(report(0.5), 40_000, 0), 0);
  assert.ok(memory.waitSeconds(report(0.7), 40_000, 0) > 0);
  assert.equal(memory.waitSeconds(undefined, 40_000, 0), 0);
  assert.equal(memory.waitSeconds(report(0.7), 40_000, 60), 0, 'a minute later nobody knows');
});

test('prompts that wait for memory count, though the engine’s usage does not include them', () => {
  const memory = new KvMemory();
  memory.sent(30_000);
  memory.sent(30_000);
  // One of them runs, and is in the usage; one waits.
  memory.reported(30_000);
  assert.ok(memory.waitSeconds(report(0.6), 20_000, 0) > 0);
  memory.reported(0);
  assert.equal(memory.waitSeconds(report(0.6), 20_000, 0), 0);
});

test('requests sent since the report count, and those that ended since do not', () => {
  const memory = new KvMemory();
  memory.reported(0);
  memory.sent(50_000);
  assert.ok(memory.waitSeconds(report(0.4), 20_000, 0) > 0);
  memory.finished(50_000, undefined);
  assert.equal(memory.waitSeconds(report(0.4), 20_000, 0), 0);
});

test('capacity is freed as fast as tokens are released, which long prompts hold longer', () => {
  const waitAfter = (finished: readonly (readonly [number, number])[]): number => {
    const memory = new KvMemory();
    for (let i = 0; i < 400; i++) {
      const [tokens, seconds] = finished[i % finished.length] as readonly [number, number];
      memory.sent(tokens);
      memory.finished(tokens, seconds);
    }
    return memory.waitSeconds(report(0.98), 98_000, 0);
  };
  // As much again as is held: one mean time that a token is held.
  assert.ok(Math.abs(waitAfter([[10_000, 20]]) - 20) < 0.1);
  // Nine of ten responses are short and take 2 s, but nearly all tokens are held for 20 s.
  const mixed = waitAfter([...Array.from({ length: 9 }, () => [100, 2] as const), [10_000, 20]]);
  assert.ok(mixed > 17 && mixed < 20, `${mixed} s`);
});

test('until requests have finished, capacity is freed at the rate of 1,000 tokens held for 5 s', () => {
  const memory = new KvMemory();
  memory.sent(20_000);
  memory.reported(0);
  // 70,000 of 98,000 usable tokens are used; of 40,000 more 12,000 do not fit.
  assert.ok(Math.abs(memory.waitSeconds(report(0.7), 40_000, 0) - (12_000 / 70_000) * 5) < 1e-9);
  memory.sent(10_000);
  assert.ok(Math.abs(memory.waitSeconds(report(0.7), 40_000, 0) - (22_000 / 80_000) * 5) < 1e-9);
  memory.finished(20_000, 10);
  // Means move by a 32nd: 1,000 to 1,593.75 tokens, 5,000 to 11,093.75 token seconds.
  const held = 11_093.75 / 1593.75;
  assert.ok(Math.abs(memory.waitSeconds(report(0.7), 40_000, 0) - (2000 / 60_000) * held) < 1e-9);
  assert.equal(memory.waitSeconds(report(0.7), 38_000, 0), 0);
  assert.ok(memory.waitSeconds(report(0.7), 38_001, 30) > 0);
  assert.equal(memory.waitSeconds(report(0.7), 38_001, 30.1), 0);
});

test('free memory is that of the report, minus what was sent since, minus one token for rounding', () => {
  const memory = new KvMemory();
  assert.ok(Math.abs(memory.roomTokens(report(0.5)) - 47_999) < 1e-6);
  memory.sent(10_000);
  assert.ok(Math.abs(memory.roomTokens(report(0.5)) - 37_999) < 1e-6);
  memory.reported(4000);
  assert.ok(Math.abs(memory.roomTokens(report(0.5)) - 43_999) < 1e-6);
  memory.finished(10_000, undefined);
  assert.ok(Math.abs(memory.roomTokens(report(0.5)) - 53_999) < 1e-6);
  assert.equal(memory.roomTokens({ ...report(0.5), blocksTotal: undefined }), Infinity);
  assert.equal(memory.roomTokens({ ...report(0.5), blockTokens: undefined }), Infinity);
});

test('fully cached requests give no information about how long a token is held', () => {
  const memory = new KvMemory();
  memory.sent(49_000);
  const wait = () => memory.waitSeconds(report(0.98), 49_000, 0);
  const before = wait();
  for (let i = 0; i < 100; i++) memory.finished(0, 1);
  assert.ok(Math.abs(wait() / before - 1) < 1e-9);
  // With less than one token left in the mean, a token counts as held for less.
  for (let i = 0; i < 900; i++) memory.finished(0, 1);
  const left = (31 / 32) ** 1000;
  assert.ok(Math.abs(wait() / before / (1000 * left) - 1) < 1e-6);
});
