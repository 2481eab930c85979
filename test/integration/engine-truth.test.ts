// The engine model against recorded runs of a real vLLM. It is a model on a virtual clock, so the
// errors are the same on every machine.
import assert from 'node:assert/strict';
import { join } from 'node:path';
import { test } from 'node:test';
import { compareRun, meanErrors, truthCases } from '../../bench/truth/compare.ts';
import { percentile } from '../../src/core/stats/index.ts';
import { predictPoint, readAllPoints } from '../../src/tools/simulate-points/index.ts';

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

test('measured points of dense models below saturation: TPOT within 10 %, TTFT within 20 % in the median', async () => {
  const path = join(import.meta.dirname, '../../bench/data/vllm-measured-points.csv');
  const points = (await readAllPoints(path)).filter(
    ({ group, measuredTtftMs = 0, outputTokens }) =>
      /Llama|Qwen3-32B .*1 1$/.test(group) && measuredTtftMs < 3000 && outputTokens <= 1024,
  );
  assert.ok(points.length > 80, `${points.length} points`);
  const predicted = points.map((point) => predictPoint(point));
  const median = (errors: number[]) =>
    percentile(
      errors.map(Math.abs).sort((a, b) => a - b),
      50,
    );
  const tpot = median(
    points.map(({ measuredTpotMs = 0 }, i) => (predicted[i]?.tpotMs ?? 0) / measuredTpotMs - 1),
  );
  const ttft = median(
    points.map(({ measuredTtftMs = 0 }, i) => (predicted[i]?.ttftMs ?? 0) / measuredTtftMs - 1),
  );
  assert.ok(tpot < 0.1, `TPOT ${tpot}`);
  assert.ok(ttft < 0.2, `TTFT ${ttft}`);
});

test('the knee is where it was measured: 70B in fp8 on two H100 takes 16 clients of 8K, not 32', async () => {
  const path = join(import.meta.dirname, '../../bench/data/vllm-measured-points.csv');
  const points = (await readAllPoints(path)).filter(
    ({ group, promptTokens }) =>
      group.startsWith('h100_sxm meta-llama/Llama-3.1-70B fp8 2') && promptTokens === 8192,
  );
  const saturated = points
    .filter((point) => predictPoint(point).saturated)
    .map(({ clients }) => clients);
  assert.deepEqual(saturated.sort(), [32, 64]);
});
