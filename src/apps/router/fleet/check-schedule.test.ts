import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type CheckIntervals, CheckSchedule } from './check-schedule.ts';

interface Check {
  readonly atMs: number;
  readonly engine: number;
}

/** Looks at `count` engines from 0 to `untilMs`, and returns the checks that were started. */
function played(
  count: number,
  intervals: CheckIntervals,
  options: {
    readonly untilMs: number;
    readonly isDead?: (engine: number, atMs: number) => boolean;
    /** Without a look in between. */
    readonly pause?: readonly [fromMs: number, toMs: number];
  },
) {
  const schedule = new CheckSchedule<{ readonly engine: number }>(intervals);
  const engines = new Map(Array.from({ length: count }, (_, engine) => [engine, { engine }]));
  const health: Check[] = [];
  const stats: Check[] = [];
  const [pauseFrom = 0, pauseTo = 0] = options.pause ?? [];
  for (let atMs = 0; atMs <= options.untilMs; atMs += schedule.lookMs) {
    if (atMs > pauseFrom && atMs < pauseTo) continue;
    const dead = [...engines.values()].filter(({ engine }) => options.isDead?.(engine, atMs));
    const due = schedule.due(engines, atMs, new Set(dead));
    health.push(...due.health.map(({ engine }) => ({ atMs, engine })));
    stats.push(...due.stats.map(({ engine }) => ({ atMs, engine })));
  }
  return { health, stats };
}

function mostAtOnce(checks: readonly Check[]): number {
  const counts = new Map<number, number>();
  for (const { atMs } of checks) counts.set(atMs, (counts.get(atMs) ?? 0) + 1);
  return Math.max(...counts.values());
}

function gapsOf(checks: readonly Check[], engine: number): number[] {
  const at = checks.filter((check) => check.engine === engine).map(({ atMs }) => atMs);
  return at.slice(1).map((atMs, i) => atMs - (at[i] as number));
}

const everyFive: CheckIntervals = { healthIntervalMs: 5_000, statsIntervalMs: 5_000 };

test('a thousand engines are checked evenly over the interval, each once per interval', () => {
  const { health, stats } = played(1_000, everyFive, { untilMs: 20_000 });
  for (const checks of [health, stats]) {
    // 1,000 checks in 50 looks are 20 each.
    assert.ok(mostAtOnce(checks) <= 23, `${mostAtOnce(checks)} at once`);
    for (const engine of [0, 1, 499, 999]) {
      for (const gap of gapsOf(checks, engine)) assert.ok(Math.abs(gap - 5_000) <= 100, `${gap}`);
    }
  }
  assert.ok(health.length >= 3_990 && health.length <= 4_010, `${health.length}`);
});

test('metrics are read half an interval after the health check, so that connections stay open', () => {
  const { health, stats } = played(7, everyFive, { untilMs: 30_000 });
  for (let engine = 0; engine < 7; engine++) {
    const uses = [...health, ...stats]
      .filter((check) => check.engine === engine && check.atMs > 10_000)
      .sort((a, b) => a.atMs - b.atMs);
    for (const gap of gapsOf(uses, engine)) assert.ok(gap <= 2_600, `${gap} ms between uses`);
  }
});

test('a dead engine is checked every second', () => {
  const isDead = (engine: number, atMs: number) => engine === 3 && atMs >= 10_000;
  const { health } = played(5, everyFive, { untilMs: 20_000, isDead });
  const first = health.find(({ engine, atMs }) => engine === 3 && atMs >= 10_000);
  assert.ok((first?.atMs ?? Infinity) <= 11_000);
  const late = health.filter(({ atMs }) => atMs >= 10_000);
  for (const gap of gapsOf(late, 3)) assert.ok(gap >= 1_000 && gap <= 1_100, `${gap}`);
  assert.equal(late.filter(({ engine }) => engine === 4).length, 2);
});

test('after a pause, what is due is caught up on over several looks', () => {
  const { health, stats } = played(1_000, everyFive, { untilMs: 20_000, pause: [6_000, 14_000] });
  const after = (checks: readonly Check[]) => checks.filter(({ atMs }) => atMs >= 14_000);
  const all = [...after(health), ...after(stats)];
  // The even share is 120: with all engines dead, 100 health checks and 20 readings.
  assert.ok(mostAtOnce(all) <= 2 * 120 + 1, `${mostAtOnce(all)} at once`);
  for (const checks of [health, stats]) {
    const soon = after(checks).filter(({ atMs }) => atMs < 15_000);
    assert.equal(new Set(soon.map(({ engine }) => engine)).size, 1_000);
  }
});

/** The first look at `count` engines after a pause of an hour, for which all of them were known. */
function afterPause(count: number, intervals: CheckIntervals) {
  const schedule = new CheckSchedule<{ readonly engine: number }>(intervals);
  const engines = new Map(Array.from({ length: count }, (_, engine) => [engine, { engine }]));
  // They get their moments, and nothing of it is started again before the pause.
  schedule.due(engines, 0, new Set());
  const { health, stats } = schedule.due(engines, 3_600_000, new Set());
  return { health: health.map(({ engine }) => engine), stats: stats.map(({ engine }) => engine) };
}

test('one look starts up to 64 checks, in the order of the engines, or twice the even share', () => {
  const first = (count: number) => Array.from({ length: count }, (_, i) => i);
  const never = 1e12;
  const { health } = afterPause(100, { healthIntervalMs: 5_000, statsIntervalMs: never });
  assert.equal(health.length, 64);
  assert.deepEqual(health, first(64));
  const reading = afterPause(100, { healthIntervalMs: never, statsIntervalMs: 5_000 });
  assert.deepEqual(reading.stats, first(64));
  const both = afterPause(1_001, everyFive);
  // 100 ms at 1,001 × (1/1000 + 1/5000) per ms are 120.12.
  assert.equal(both.health.length + both.stats.length, 241);
});

test('an engine is due for the first time within its first intervals, the first one at once', () => {
  const { health, stats } = played(20, everyFive, { untilMs: 10_000 });
  for (let engine = 0; engine < 20; engine++) {
    for (const checks of [health, stats]) {
      const first = checks.find((check) => check.engine === engine);
      assert.ok((first?.atMs ?? Infinity) <= 5_100, `${engine}: ${first?.atMs}`);
    }
  }
  const one = played(1, { healthIntervalMs: 5_000, statsIntervalMs: 1_000 }, { untilMs: 0 });
  assert.deepEqual([one.health.length, one.stats.length], [1, 1]);
});

test('an engine that was dead for a while is checked in its interval again, at its own moment', () => {
  const isDead = (engine: number, atMs: number) => engine === 1 && atMs > 6_000 && atMs < 7_500;
  const { health } = played(3, everyFive, { untilMs: 40_000, isDead });
  const late = health.filter(({ engine, atMs }) => engine === 1 && atMs > 8_000);
  assert.ok(late.length >= 6, `${late.length}`);
  const own = health.find(({ engine }) => engine === 1)?.atMs ?? 0;
  for (const { atMs } of late) assert.equal((atMs - own) % 5_000, 0);
});

test('a short interval is looked at four times, others every 100 ms', () => {
  const lookMs = (statsIntervalMs: number) =>
    new CheckSchedule({ healthIntervalMs: 5_000, statsIntervalMs }).lookMs;
  assert.deepEqual([1, 10, 20, 5_000].map(lookMs), [1, 2, 5, 100]);
});

test('short intervals are kept', () => {
  const { stats } = played(2, { healthIntervalMs: 5_000, statsIntervalMs: 20 }, { untilMs: 1_000 });
  assert.ok(stats.length >= 98, `${stats.length}`);
});

test('an interval of 0 means at every look', () => {
  const { health, stats } = played(1, { healthIntervalMs: 0, statsIntervalMs: 0 }, { untilMs: 10 });
  assert.ok(health.length >= 10, `${health.length}`);
  assert.ok(stats.length >= 10, `${stats.length}`);
});

test('engines that come and go leave the others their moments', () => {
  const schedule = new CheckSchedule<{ readonly engine: number }>(everyFive);
  const engines = new Map(Array.from({ length: 9 }, (_, engine) => [engine, { engine }]));
  const back = engines.get(4) as { readonly engine: number };
  const health: Check[] = [];
  for (let atMs = 0; atMs <= 30_000; atMs += schedule.lookMs) {
    if (atMs === 10_000) engines.delete(2);
    if (atMs === 12_000) engines.set(9, { engine: 9 });
    if (atMs === 15_000) {
      engines.delete(0);
      engines.set(10, { engine: 10 });
    }
    if (atMs === 16_000) engines.delete(4);
    if (atMs === 16_200) engines.set(4, back);
    const due = schedule.due(engines, atMs, new Set());
    health.push(...due.health.map(({ engine }) => ({ atMs, engine })));
  }
  for (const engine of engines.keys()) {
    const gaps = gapsOf(health, engine);
    assert.ok(gaps.length >= 2, `${engine}`);
    // The first check of an engine is at the look after its moment.
    for (const gap of gaps) assert.ok(Math.abs(gap - 5_000) <= 100, `${engine}: ${gap}`);
  }
  assert.ok(health.every(({ atMs, engine }) => engine !== 2 || atMs < 10_000));
});

test('an engine that dies between two checks is checked at the next look', () => {
  const diedAtMs = 13_370;
  const { health } = played(60, everyFive, {
    untilMs: 20_000,
    isDead: (_, atMs) => atMs >= diedAtMs,
  });
  for (let engine = 0; engine < 60; engine++) {
    const mine = health.filter((check) => check.engine === engine).map(({ atMs }) => atMs);
    const before = mine.findLast((atMs) => atMs < diedAtMs) as number;
    const after = mine.find((atMs) => atMs >= diedAtMs) as number;
    const earliest = Math.max(diedAtMs, before + 1_000);
    assert.ok(after - earliest <= 100, `${engine}: ${before}, then ${after}`);
  }
});
