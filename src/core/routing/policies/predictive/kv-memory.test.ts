import assert from 'node:assert/strict';
import { test } from 'node:test';
import { KvMemory } from './kv-memory.ts';

const blocks = { blocksTotal: 1000, blockTokens: 100 };
const report = (kvUsage: number, atSeconds = 0) => ({
  ...{ ...blocks, kvUsage, atSeconds, running: 1, waiting: 0 },
});

test('a prompt waits only if it does not fit, and not at an engine that does not tell', () => {
  const memory = new KvMemory();
  assert.equal(memory.waitSeconds(report(0.5), 40_000, 0), 0);
  assert.ok(memory.waitSeconds(report(0.7), 40_000, 0) > 0);
  assert.equal(memory.waitSeconds(undefined, 40_000, 0), 0);
  assert.equal(memory.waitSeconds(report(0.7), 40_000, 60), 0, 'a minute later nobody knows');
});

test('prompts that wait for memory count, though the engine’s usage lacks them', () => {
  const memory = new KvMemory();
  memory.sent(30_000);
  memory.sent(30_000);
  // One of them runs, and is in the usage; one waits.
  memory.reported(30_000);
  assert.ok(memory.waitSeconds(report(0.6), 20_000, 0) > 0);
  memory.reported(0);
  assert.equal(memory.waitSeconds(report(0.6), 20_000, 0), 0);
});

test('what was sent since the report counts, and what ended since does not', () => {
  const memory = new KvMemory();
  memory.reported(0);
  memory.sent(50_000);
  assert.ok(memory.waitSeconds(report(0.4), 20_000, 0) > 0);
  memory.finished(50_000, undefined);
  assert.equal(memory.waitSeconds(report(0.4), 20_000, 0), 0);
});

test('room comes back as fast as tokens are given back, which long prompts hold longer', () => {
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
  // Nine short answers of ten take 2 s, but nearly all tokens are held for 20 s.
  const mixed = waitAfter([...Array.from({ length: 9 }, () => [100, 2] as const), [10_000, 20]]);
  assert.ok(mixed > 17 && mixed < 20, `${mixed} s`);
});
