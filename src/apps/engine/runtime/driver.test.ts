import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import {
  defaultEngineConfig,
  EngineModel,
  type EngineRequest,
  type EngineStep,
} from '../../../core/engine/index.ts';
import { Driver } from './driver.ts';

const stepSeconds = 0.02;

test('overdue steps run at once, each at its own time on the model clock', async (t) => {
  const { driver, tokens, steps, setWall } = play(t, 1);
  driver.add(request('a', driver.nowSeconds(), 5));
  await turn();
  assert.equal(tokens.length, 0);
  // The timer fires 85 ms late: four steps are due, and none is shifted by the delay.
  setWall(0.085);
  await until(() => tokens.length === 4);
  assert.deepEqual(
    tokens.map(({ at }) => at.toFixed(3)),
    ['0.020', '0.040', '0.060', '0.080'],
  );
  assert.equal(driver.lagSeconds.toFixed(3), '0.005');
  setWall(0.1);
  await until(() => tokens.length === 5);
  assert.equal(steps.length, 5);
  assert.equal(driver.lagSeconds, 0);
});

test('a request that arrives while the driver is behind joins no step before its arrival', async (t) => {
  const { driver, tokens, setWall } = play(t, 1);
  driver.add(request('a', 0, 6));
  await turn();
  setWall(0.09);
  driver.add(request('b', driver.nowSeconds(), 1));
  await until(() => tokens.length >= 4);
  assert.ok(tokens.every(({ id }) => id === 'a'));
  setWall(1);
  await until(() => tokens.length === 7);
  // The first step that starts after 0.09 starts at 0.10.
  assert.equal(tokens.find(({ id }) => id === 'b')?.at.toFixed(3), '0.120');
});

test('the time scale multiplies GPU time, and infinity needs no wall time', async (t) => {
  const scaled = play(t, 10);
  scaled.driver.add(request('a', 0, 3));
  await turn();
  scaled.setWall(0.006);
  await until(() => scaled.tokens.length === 3);
  const free = play(t, Number.POSITIVE_INFINITY);
  free.driver.add(request('a', 0, 500));
  await until(() => free.tokens.length === 500);
  assert.equal(free.tokens.at(-1)?.at.toFixed(2), '10.00');
});

test('an aborted request gets no more tokens, even if it was in no step yet', async (t) => {
  const { driver, tokens, setWall, model } = play(t, 1);
  const running = request('a', 0, 50);
  driver.add(running);
  await turn();
  const later = request('b', 0.001, 50);
  driver.add(later);
  assert.equal(driver.abort(later), true);
  assert.equal(driver.abort(running), true);
  assert.equal(driver.abort(running), false);
  setWall(1);
  await turn();
  assert.equal(tokens.length, 0);
  assert.equal(model.stats.blocksUsed, 0);
});

test('a slower engine takes longer for each step, and one that is stopped makes none', async (t) => {
  const { driver, tokens, setWall } = play(t, 1);
  driver.add(request('a', 0, 9));
  await turn();
  setWall(0.04);
  await until(() => tokens.length === 2);
  driver.setSpeed(0.1);
  setWall(0.45);
  await until(() => tokens.length === 4);
  assert.equal(driver.nowSeconds().toFixed(3), '0.081');
  driver.setSpeed(0);
  setWall(10);
  driver.add(request('b', driver.nowSeconds(), 1));
  await turn();
  assert.equal(tokens.length, 4);
  assert.equal(driver.nowSeconds().toFixed(3), '0.081');
  driver.setSpeed(1);
  setWall(10.05);
  await until(() => tokens.filter(({ id }) => id === 'a').length === 6);
  // What was missed is not caught up on.
  assert.ok(driver.lagSeconds < stepSeconds);
  assert.ok(tokens.some(({ id }) => id === 'b'));
});

test('an engine that never waits can be stopped, too', async (t) => {
  const { driver, tokens } = play(t, Number.POSITIVE_INFINITY);
  driver.setSpeed(0);
  driver.add(request('a', 0, 5));
  await turn();
  assert.equal(tokens.length, 0);
  driver.setSpeed(1);
  await until(() => tokens.length === 5);
});

function play(t: TestContext, timeScale: number) {
  const config = defaultEngineConfig({ maxModelLen: 1024, numGpuBlocks: 200 });
  const model = new EngineModel({ config, cost: { stepSeconds: () => stepSeconds } });
  let wall = 0;
  const tokens: { id: string; at: number }[] = [];
  const steps: EngineStep[] = [];
  const driver = new Driver<EngineRequest>({
    model,
    timeScale,
    wallSeconds: () => wall,
    onToken: ({ id }, at) => {
      tokens.push({ id, at });
      return false;
    },
    onStep: (step) => {
      if (step) steps.push(step);
    },
  });
  t.after(() => driver.close());
  const setWall = (seconds: number) => {
    wall = seconds;
  };
  return { driver, tokens, steps, setWall, model };
}

function request(id: string, arrivalSeconds: number, maxTokens: number): EngineRequest {
  const blockKey = (index: number) => `${id}-${index}`;
  return { id, promptTokens: 10, maxTokens, priority: 0, arrivalSeconds, blockKey };
}

/** Waits until queued `setImmediate` callbacks have run. */
async function turn(): Promise<void> {
  for (let i = 0; i < 3; i++) await new Promise((resolve) => setImmediate(resolve));
}

async function until(condition: () => boolean): Promise<void> {
  const deadline = performance.now() + 5000;
  while (!condition()) {
    assert.ok(performance.now() < deadline, 'the condition did not hold within 5 s');
    await new Promise((resolve) => setTimeout(resolve, 1));
  }
}
