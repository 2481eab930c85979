// The engine model against recorded runs of a real vLLM. It is a model on a virtual clock, so the
// errors are the same on every machine.
import assert from 'node:assert/strict';
import { join } from 'node:path';
import { test } from 'node:test';
import { compareRun, meanErrors, truthCases } from '../../bench/truth/compare.ts';
import { predictTpotMs, readMeasuredPoints } from '../../bench/truth/points.ts';

const directory = join(import.meta.dirname, '../../bench/data/vllm-runs');

for (const truthCase of truthCases(directory)) {
  test(`means of ${truthCase.name} are within ${truthCase.errorMax * 100} % of the real vLLM`, async () => {
    const comparison = await compareRun(truthCase);
    for (const [metric, error] of Object.entries(meanErrors(comparison))) {
      assert.ok(Math.abs(error) <= truthCase.errorMax, `${metric} is off by ${error}`);
    }
    const { report } = comparison.run;
    assert.equal(report.completed, 300);
  });
}

test('without its link constants the tensor-parallel run is far off: they are needed', async () => {
  const tensorParallel = truthCases(directory).find(({ profile }) => profile.endsWith('_tp2'));
  assert.ok(tensorParallel);
  const bare = { hostSecondsPerStep: 0, allReduceLatencySeconds: 0, allReduceBytesPerSecond: 1e15 };
  const { ttft } = meanErrors(await compareRun(tensorParallel, bare));
  assert.ok(ttft < -0.4, `TTFT is off by ${ttft}`);
});

test('with the roofline instead of a profile the same means are within 10 %', async () => {
  for (const truthCase of truthCases(directory)) {
    const errors = meanErrors(
      await compareRun(truthCase, { profile: undefined, gpu: truthCase.gpu }),
    );
    for (const [metric, error] of Object.entries(errors)) {
      assert.ok(Math.abs(error) < 0.1, `${truthCase.name}: ${metric} is off by ${error}`);
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
