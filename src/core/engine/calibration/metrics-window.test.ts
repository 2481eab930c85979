import assert from 'node:assert/strict';
import { test } from 'node:test';
import { seededRandom } from '../../base/index.ts';
import {
  calibrateEngine,
  defaultEngineConfig,
  type EngineConstants,
  EngineModel,
  engineCost,
  findGpu,
  findModel,
  type MetricsReading,
  metricsMeasurements,
  type StepLoad,
  shippedEngineConstants,
} from '../index.ts';

const layout = {
  ...{ model: findModel('Qwen3-8B'), gpu: findGpu('L40S'), tensorParallelSize: 1 },
  weightBytesPerValue: 2,
};
const config = defaultEngineConfig({ numGpuBlocks: 10_000, maxModelLen: 8192 });
const shipped = shippedEngineConstants(layout);

/** Returns readings every 2 s of the /metrics of an engine model whose clients come and go. */
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
      engine.add({ id, promptTokens, maxTokens, priority: 0, arrivalSeconds: now, blockKey });
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

test('finds step times from a window of an engine’s metrics', () => {
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

test('readings without traffic yield no measurements', () => {
  const idle = {
    ...{ steps: 5000, gaps: 7000, gapSeconds: 100, promptTokens: 9000, cachedTokens: 0 },
    ...{ firstTokens: 100, heldTokens: 0 },
  };
  assert.deepEqual(metricsMeasurements([idle, idle, idle], 2048), []);
});

const nothing: MetricsReading = {
  ...{ steps: 0, gaps: 0, gapSeconds: 0, promptTokens: 0, cachedTokens: 0 },
  ...{ firstTokens: 0, heldTokens: 0 },
};

/** Returns the loads that a measurement passes to a cost model, and its prediction from their times. */
function asked(before: Partial<MetricsReading>, after: Partial<MetricsReading>, budget = 1000) {
  const readings = [
    { ...nothing, ...before },
    { ...nothing, ...after },
  ];
  const [measurement] = metricsMeasurements(readings, budget);
  const loads: StepLoad[] = [];
  const predicted = measurement?.predict(
    {
      stepSeconds(load) {
        loads.push(load);
        return load.prefillTokens > 0 ? 10 : 1;
      },
    },
    0,
  );
  return { measurement, loads, predicted };
}

test('a window with decodes only yields the mean step at the mean context', () => {
  const window = { steps: 10, gaps: 40, gapSeconds: 2, heldTokens: 3000 };
  const { measurement, loads, predicted } = asked({ heldTokens: 1000 }, window);
  assert.equal(measurement?.seconds, 0.05);
  assert.equal(measurement?.name, '4.0 sequences, 0 prompt tokens');
  assert.deepEqual(loads[0], {
    ...{ sequences: 4, tokens: 4, decodeSequences: 4, decodeContextTokens: 2000 },
    ...{ prefillTokens: 0, prefillTokenContext: 0, prefillTokensSquared: 0 },
  });
  assert.ok(loads.every(({ sequences }) => sequences === 4));
  assert.equal(predicted, 1);
});

test('counts steps with prefills by first tokens, or by the budget of a step', () => {
  const window = { steps: 10, gaps: 40, gapSeconds: 2, promptTokens: 900, cachedTokens: 300 };
  const { loads, predicted } = asked({}, { ...window, firstTokens: 2 });
  const mixed = loads.find(({ prefillTokens }) => prefillTokens > 0);
  assert.deepEqual(mixed, {
    ...{ sequences: 5, tokens: 304, decodeSequences: 4, decodeContextTokens: 0 },
    ...{ prefillTokens: 300, prefillTokenContext: 0, prefillTokensSquared: 90_000 },
  });
  // Two of ten steps.
  assert.ok(Math.abs((predicted ?? 0) - (0.8 * 1 + 0.2 * 10)) < 1e-12);
  const byBudget = asked({}, { ...window, firstTokens: 2 }, 100);
  assert.ok(byBudget.loads.some(({ prefillTokens }) => prefillTokens === 100));
  assert.ok(Math.abs((byBudget.predicted ?? 0) - (0.4 + 0.6 * 10)) < 1e-12);
  const atLeastOne = asked({}, window);
  assert.ok(atLeastOne.loads.some(({ prefillTokens }) => prefillTokens === 600));
  const atMostAll = asked({}, { ...window, firstTokens: 50 });
  assert.ok(Math.abs((atMostAll.predicted ?? 0) - 10) < 1e-12);
});

test('skips windows with too few gaps or steps, and holds out four neighbours together', () => {
  const enough = { steps: 4, gaps: 16, gapSeconds: 1 };
  assert.notEqual(asked({}, enough).measurement, undefined);
  assert.equal(asked({}, { ...enough, gaps: 15 }).measurement, undefined);
  assert.equal(asked({}, { ...enough, steps: 3 }).measurement, undefined);
  const readings = Array.from({ length: 10 }, (_, i) => ({
    ...nothing,
    ...{ steps: 4 * i, gaps: 16 * i, gapSeconds: i },
  }));
  assert.deepEqual(
    metricsMeasurements(readings, 1000).map(({ fold }) => fold),
    ['0', '0', '0', '0', '1', '1', '1', '1', '2'],
  );
});
