// When engines are checked and read.
import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import type { Engine } from './engine.ts';
import { EngineChecks } from './engine-checks.ts';

/** Checks of `count` engines on a clock of their own, and a log of them as "engine what". */
function begin(
  context: TestContext,
  options: {
    count: number;
    healthIntervalMs?: number;
    statsIntervalMs?: number;
    isLive?: boolean;
  },
) {
  const { count, healthIntervalMs = 4_000, statsIntervalMs = 2_000, isLive = true } = options;
  context.mock.timers.enable({ apis: ['setInterval', 'Date'] });
  const log: string[] = [];
  const modelsEvery = new Set<number>();
  const engines = new Map(
    Array.from({ length: count }, (_, i) => {
      const url = `http://engine-${i}`;
      const engine = {
        ...{ url, live: isLive },
        probe: () => log.push(`${i} probe`),
        scrape: (_nowSeconds: () => number, every: number) => {
          log.push(`${i} scrape`);
          modelsEvery.add(every);
        },
      };
      return [url, engine as unknown as Engine];
    }),
  );
  const checks = new EngineChecks({
    ...{ engines, healthIntervalMs, statsIntervalMs },
    notLive: new Set(isLive ? [] : engines.values()),
    nowSeconds: () => Date.now() / 1000,
  });
  context.after(() => checks.stop());
  /** Lets time pass; returns how often each thing happened. */
  const pass = (ms: number) => {
    log.length = 0;
    // In small steps: the clock stands at the end of a step when its timers fire.
    for (let passed = 0; passed < ms; passed += 10) context.mock.timers.tick(10);
    const countOf = (what: string) => log.filter((line) => line.endsWith(what)).length;
    return { probes: countOf('probe'), scrapes: countOf('scrape') };
  };
  return { checks, pass, modelsEvery };
}

test('each engine is checked and read once per interval', (t) => {
  const { checks, pass } = begin(t, { count: 4 });
  checks.start();
  pass(4_000);
  assert.deepEqual(pass(40_000), { probes: 4 * 10, scrapes: 4 * 20 });
  checks.stop();
  assert.deepEqual(pass(10_000), { probes: 0, scrapes: 0 });
});

test('new intervals apply at once; before the start they wait for it', (t) => {
  const { checks, pass } = begin(t, { count: 1 });
  checks.setIntervals({ healthIntervalMs: 1_000, statsIntervalMs: 500 });
  assert.deepEqual(pass(10_000), { probes: 0, scrapes: 0 });
  checks.start();
  pass(1_000);
  assert.deepEqual(pass(10_000), { probes: 10, scrapes: 20 });
  checks.setIntervals({ healthIntervalMs: 5_000, statsIntervalMs: 500 });
  pass(5_000);
  assert.deepEqual(pass(10_000), { probes: 2, scrapes: 20 });
  checks.setIntervals({ healthIntervalMs: 5_000, statsIntervalMs: 1_000 });
  pass(5_000);
  assert.deepEqual(pass(10_000), { probes: 2, scrapes: 10 });
});

test('models are read with each scrape up to twenty times per second, in a larger fleet less often', (t) => {
  for (const [count, every] of [
    [1, 1],
    [40, 1],
    [41, 2],
    [200, 5],
  ] as const) {
    const { checks, pass, modelsEvery } = begin(t, { count });
    checks.start();
    pass(4_000);
    checks.stop();
    t.mock.timers.reset();
    assert.deepEqual([...modelsEvery], [every], `${count} engines, each read every 2 s`);
  }
});

test('a dead engine is checked every second, a live one in its interval', (t) => {
  const { checks, pass } = begin(t, { count: 1, isLive: false });
  checks.start();
  pass(4_000);
  assert.deepEqual(pass(40_000), { probes: 40, scrapes: 20 });
});
