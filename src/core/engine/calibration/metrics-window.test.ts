import assert from 'node:assert/strict';
import { test } from 'node:test';
import { seededRandom } from '../../base/index.ts';
import {
  calibrateEngine,
  type EngineConstants,
  EngineModel,
  engineConfigFor,
  engineCost,
  findGpu,
  findModel,
  type MetricsReading,
  metricsMeasurements,
  shippedEngineConstants,
} from '../index.ts';

const layout = {
  ...{ model: findModel('Qwen3-8B'), gpu: findGpu('L40S'), tensorParallelSize: 1 },
  weightBytesPerValue: 2,
};
const config = engineConfigFor(layout, { maxModelLen: 8192 });
const shipped = shippedEngineConstants(layout);

/** Readings each 2 s of an engine model whose clients come and go, as its /metrics would say. */
function readingsOf(constants: EngineConstants): MetricsReading[] {
  const random = seededRandom(7);
  const engine = new EngineModel({ config, cost: engineCost(layout, constants) });
  const lastToken = new Map<string, number>();
  const sums = { gaps: 0, gapSeconds: 0, firstTokens: 0, promptTokens: 0 };
  const readings: MetricsReading[] = [];
  let [now, added, nextReading, nextArrival] = [0, 0, 0, 0];
  while (now < 120) {
    for (; nextArrival <= now; nextArrival += 2 * random.next()) {
      const id = String(added++);
      const promptTokens = 64 + Math.floor(3000 * random.next());
      const maxTokens = 20 + Math.floor(300 * random.next());
      sums.promptTokens += promptTokens;
      const blockKey = (block: number) => `${id}/${block}`;
      engine.add({ id, promptTokens, maxTokens, priority: 0, arrivalSeconds: now, blockKey }, now);
    }
    for (; nextReading <= now; nextReading += 2) {
      const { steps, blocksUsed } = engine.stats;
      readings.push({ ...sums, steps, cachedTokens: 0, heldTokens: blocksUsed * config.blockSize });
    }
    const step = engine.schedule(now);
    now = step?.endSeconds ?? nextArrival;
    if (step === undefined) continue;
    engine.complete(step, ({ id }, index) => {
      if (index === 0) sums.firstTokens++;
      else {
        sums.gaps++;
        sums.gapSeconds += now - (lastToken.get(id) ?? now);
      }
      lastToken.set(id, now);
      return false;
    });
  }
  return readings;
}

test('a window of an engine’s metrics tells how long its steps take', () => {
  const real = {
    ...shipped,
    hostSecondsPerStep: shipped.hostSecondsPerStep * 2,
    weightMemoryShare: shipped.weightMemoryShare * 0.6,
    matrixShare: shipped.matrixShare * 0.6,
  };
  const measurements = metricsMeasurements(readingsOf(real), config.maxNumBatchedTokens);
  assert.ok(measurements.length > 40, `${measurements.length}`);
  const { before, constants, crossValidated } = calibrateEngine(layout, measurements);
  assert.ok(before.median > 0.25, `${before.median}`);
  assert.ok((crossValidated?.median ?? 1) < 0.08, `${crossValidated?.median}`);
  const decodes = (sequences: number) => ({
    ...{ sequences, tokens: sequences, decodeSequences: sequences },
    ...{ prefillTokens: 0, prefillTokenContext: 0, prefillTokensSquared: 0 },
    decodeContextTokens: sequences * 1500,
  });
  for (const count of [2, 8, 24]) {
    const [found, expected] = [constants, real].map((of) =>
      engineCost(layout, of).stepSeconds(decodes(count)),
    ) as [number, number];
    assert.ok(Math.abs(found / expected - 1) < 0.07, `${count}: ${found / expected}`);
  }
});

test('readings without traffic say nothing', () => {
  const idle = {
    ...{ steps: 5, gaps: 7, gapSeconds: 1, promptTokens: 9, cachedTokens: 0 },
    ...{ firstTokens: 1, heldTokens: 0 },
  };
  assert.deepEqual(metricsMeasurements([idle, idle, idle], 2048), []);
});
