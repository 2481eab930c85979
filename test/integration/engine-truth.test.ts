// The engine model against recorded runs of a real vLLM. It is a model on a virtual clock, so the
// errors are the same on every machine.
import assert from 'node:assert/strict';
import { join } from 'node:path';
import { test } from 'node:test';
import { compareRun, meanErrors, truthCases } from '../../bench/truth/compare.ts';
import { predictTpotMs, readMeasuredPoints } from '../../bench/truth/points.ts';

const directory = join(import.meta.dirname, '../../bench/data/vllm-runs');

for (const truthCase of truthCases(directory)) {
  test(`means of ${truthCase.run.name} are within ${truthCase.errorMax * 100} % of the real vLLM`, async () => {
    const comparison = await compareRun(directory, truthCase);
    for (const [metric, error] of Object.entries(meanErrors(comparison))) {
      assert.ok(Math.abs(error) <= truthCase.errorMax, `${metric} is off by ${error}`);
    }
    const { timings } = comparison.result;
    assert.ok(timings.every(({ lastTokenSeconds }) => lastTokenSeconds > 0));
  });
}

test('without its link constants the tensor-parallel run is far off: they are needed', async () => {
  const tensorParallel = truthCases(directory).find(({ link }) => link);
  assert.ok(tensorParallel);
  const bare = { ...tensorParallel, hostSecondsPerStep: 0, link: undefined };
  const { ttft } = meanErrors(await compareRun(directory, bare));
  assert.ok(ttft < -0.4, `TTFT is off by ${ttft}`);
});

test('with the roofline instead of a profile the same means are within 10 %', async () => {
  for (const truthCase of truthCases(directory)) {
    const errors = meanErrors(await compareRun(directory, truthCase, 'roofline'));
    for (const [metric, error] of Object.entries(errors)) {
      assert.ok(Math.abs(error) < 0.1, `${truthCase.run.name}: ${metric} is off by ${error}`);
    }
  }
});

test('the roofline gives the time per output token of measured points within 10 % on average', () => {
  const points = readMeasuredPoints(
    join(import.meta.dirname, '../../bench/data/vllm-measured-points.csv'),
  ).filter(({ outputTokens, clients }) => outputTokens <= 1024 && clients <= 16);
  assert.ok(points.length > 40, `${points.length} points`);
  const errors = points.map((point) => Math.abs(predictTpotMs(point) / point.tpotMs - 1));
  const mean = errors.reduce((sum, error) => sum + error, 0) / errors.length;
  assert.ok(mean < 0.1, `mean error ${mean}`);
});
