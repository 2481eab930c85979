// Many clients of an embedded engine at once, each with a request that is allowed: none ends it, none keeps it from its other clients.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { startEngineTarget } from './engine-target.ts';

/** Time on the processor that other requests may wait for one turn. */
const pauseMsMax = 200;
/** The crowd comes again if it has caused a longer pause: a collection of garbage must not fail it. */
const attemptsMax = 4;

test('60 clients that have 250 kB tokenized', { timeout: 120_000 }, async (t) => {
  const target = await startEngineTarget(t);
  const body = JSON.stringify({ model: 'm', prompt: '!'.repeat(250_000) });
  const text = { path: '/tokenize', body };
  let pauseMs = Number.POSITIVE_INFINITY;
  for (let i = 0; i < attemptsMax && pauseMs >= pauseMsMax; i++) {
    await target.measure();
    const answers = await Promise.all(Array.from({ length: 60 }, () => target.send(text)));
    assert.deepEqual([...new Set(answers.map(({ status }) => status))], [200]);
    pauseMs = (await target.measure()).longestPauseMs;
    t.diagnostic(`longest pause ${pauseMs.toFixed(0)} ms`);
  }
  assert.ok(pauseMs < pauseMsMax, `a pause of ${pauseMs.toFixed(0)} ms`);
  assert.ok(await target.isServing());
});
