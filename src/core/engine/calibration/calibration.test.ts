import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import {
  calibrateEngine,
  type EngineConstants,
  engineCost,
  findGpu,
  findModel,
  type Measurement,
  type StepLoad,
  shippedEngineConstants,
} from '../index.ts';
import { fitConstants } from './least-squares.ts';

const layout = {
  ...{ model: findModel('Qwen3-8B'), gpu: findGpu('H100'), tensorParallelSize: 1 },
  weightBytesPerValue: 2,
};
const shipped = shippedEngineConstants(layout);

function decodes(sequences: number, context: number): StepLoad {
  return {
    ...{ sequences, tokens: sequences, decodeSequences: sequences },
    ...{ prefillTokens: 0, prefillTokenContext: 0, prefillTokensSquared: 0 },
    decodeContextTokens: sequences * context,
  };
}

function prefill(chunk: number, context: number): StepLoad {
  return {
    ...{ sequences: 1, tokens: chunk, decodeSequences: 0, decodeContextTokens: 0 },
    ...{ prefillTokens: chunk, prefillTokenContext: chunk * context },
    prefillTokensSquared: chunk * chunk,
  };
}

const loads = [
  ...[1, 8, 64, 256, 512].flatMap((n) => [16, 1024, 8192].map((context) => decodes(n, context))),
  ...[64, 512, 2048, 8192].flatMap((chunk) => [0, 8192, 65_536].map((at) => prefill(chunk, at))),
];

/** Returns the step times of an engine with these constants; `noise` by index. */
function steps(constants: EngineConstants, noise: (i: number) => number = () => 1): Measurement[] {
  const cost = engineCost(layout, constants);
  return loads.map((load, i) => ({
    ...{ name: `${load.tokens} tokens`, fold: String(i % 5) },
    seconds: cost.stepSeconds(load) * noise(i),
    predict: (other) => other.stepSeconds(load),
  }));
}

test('finds the constants of any engine from its steps', () => {
  const factor = fc.double({ min: 0.4, max: 2.5, noNaN: true });
  fc.assert(
    fc.property(factor, factor, factor, factor, factor, (host, matrix, attention, weight, kv) => {
      const real: EngineConstants = {
        hostSecondsPerStep: shipped.hostSecondsPerStep * host,
        matrixShare: shipped.matrixShare * matrix,
        attentionShare: shipped.attentionShare * attention,
        weightMemoryShare: shipped.weightMemoryShare * weight,
        kvMemoryShare: shipped.kvMemoryShare * kv,
        requestSeconds: shipped.requestSeconds,
      };
      const found = calibrateEngine(layout, steps(real));
      for (const [name, value] of Object.entries(found.constants)) {
        const error = Math.abs(value / real[name as keyof EngineConstants] - 1);
        assert.ok(error < 0.05, `${name}: ${value}`);
      }
      assert.ok((found.crossValidated?.p90 ?? 1) < 0.01);
    }),
    { numRuns: 20 },
  );
});

test('a constant that no measurement determines keeps its start value and counts as undecided', () => {
  const real = { ...shipped, weightMemoryShare: shipped.weightMemoryShare / 2 };
  const few = steps(real).slice(0, 6);
  const { constants, decided } = calibrateEngine(layout, few);
  assert.ok(Math.abs(constants.requestSeconds / shipped.requestSeconds - 1) < 1e-9);
  assert.ok(decided.requestSeconds < 0.01 && decided.attentionShare < 0.01);
  assert.ok(decided.weightMemoryShare > 0.9);
  assert.ok(Math.abs(constants.weightMemoryShare / real.weightMemoryShare - 1) < 0.05);
});

test('the error on held-out measurements equals their noise', () => {
  const real = { ...shipped, matrixShare: shipped.matrixShare * 0.7 };
  const noisy = steps(real, (i) => (i % 2 === 0 ? 1.05 : 0.95));
  const shares: number[] = [];
  const { before, fitted, crossValidated } = calibrateEngine(layout, noisy, (share) =>
    shares.push(share),
  );
  assert.equal(shares.length, 5, 'reports the fit of all measurements, then one per fold');
  assert.ok(shares.every((share, i) => Math.abs(share - (i + 1) / 6) < 1e-9));
  assert.ok(crossValidated && crossValidated.median > 0.02 && crossValidated.median < 0.09);
  assert.ok(fitted.median <= crossValidated.median + 0.01);
  assert.ok(before.p90 > 0.2);
});

test('one outlier does not move the fit', () => {
  const real = { ...shipped, hostSecondsPerStep: shipped.hostSecondsPerStep * 2 };
  const { constants } = calibrateEngine(
    layout,
    steps(real, (i) => (i === 3 ? 20 : 1)),
  );
  const cost = engineCost(layout, constants).stepSeconds(decodes(8, 1024));
  const expected = engineCost(layout, real).stepSeconds(decodes(8, 1024));
  assert.ok(Math.abs(cost / expected - 1) < 0.05, `${cost / expected}`);
});

test('finds an engine hundreds of times slower than the start from a few noisy steps', () => {
  // Like a real vLLM on two busy CPU cores: at first its errors counted as noise, and the start
  // won.
  const small = { ...layout, model: findModel('opt-125m') };
  const start = shippedEngineConstants(small);
  const hostSecondsPerStep = start.hostSecondsPerStep * 300;
  const cost = engineCost(small, { ...start, hostSecondsPerStep });
  const few = [1, 2, 4, 8, 16, 32].map((sequences, i): Measurement => {
    const load = decodes(sequences, 256);
    const seconds = cost.stepSeconds(load) * ([0.6, 1.6, 1, 0.7, 1.4, 0.8][i] as number);
    return { name: '', fold: String(i), seconds, predict: (other) => other.stepSeconds(load) };
  });
  const { constants, decided, fitted } = calibrateEngine(small, few);
  const found = constants.hostSecondsPerStep / hostSecondsPerStep;
  assert.ok(found > 0.6 && found < 1.6, `${found}`);
  assert.ok(decided.hostSecondsPerStep > 0.8 && fitted.median < 0.5);
});

test('with only as many measurements as constants, the start still has weight', () => {
  // Three benchmark results, 2 to 3 % off. They were taken as free of noise and fitted exactly,
  // which gave three times the host's time, and memory faster than the datasheet's rate.
  const cost = engineCost(layout, shipped);
  const mixed = (sequences: number, context: number, prompt: number): StepLoad => ({
    ...prefill(prompt, 0),
    ...{ sequences: sequences + 1, tokens: sequences + prompt, decodeSequences: sequences },
    decodeContextTokens: sequences * context,
  });
  const results = [
    { load: mixed(1, 1000, 30), first: mixed(1, 1000, 1000), errors: [0.97, 1.03] },
    { load: mixed(6, 1200, 120), first: mixed(6, 1200, 1000), errors: [0.98, 1.03] },
    { load: mixed(18, 900, 500), first: mixed(18, 900, 1000), errors: [0.97, 1.02] },
  ] as const;
  const measured = results.flatMap(({ load, first, errors: [tpot, ttft] }, i): Measurement[] => [
    {
      ...{ name: 'TPOT', fold: String(i), seconds: cost.stepSeconds(load) * tpot },
      predict: (other) => other.stepSeconds(load),
    },
    {
      ...{ name: 'TTFT', fold: String(i) },
      seconds: (cost.stepSeconds(first) + shipped.requestSeconds) * ttft,
      predict: (other, request) => other.stepSeconds(first) + request,
    },
  ]);
  const { constants } = calibrateEngine(layout, measured);
  for (const [name, value] of Object.entries(constants)) {
    const factor = value / shipped[name as keyof EngineConstants];
    assert.ok(factor > 0.7 && factor < 1.4, `${name}: ${factor} times its value`);
  }
});

test('refuses a fit without measurements', () => {
  assert.throws(() => fitConstants({ start: [1], measured: [], predict: () => [] }), RangeError);
});

/** Measurements of 1 s each, with predictions that no constant changes. */
function fixed(predicted: readonly number[]): Measurement[] {
  return predicted.map((seconds, i) => ({
    ...{ name: '', fold: String(i), seconds: 1 },
    predict: () => seconds,
  }));
}

test('errors are summarised by their median and 90th percentile in size, and by their signed median', () => {
  const { before, fitted, crossValidated } = calibrateEngine(
    layout,
    fixed([0.9, 1.3, 0.6, 1.01, 0.98, 1.5, 0.95, 0.2, 1.1, 0.7, 1.9]),
  );
  for (const errors of [before, fitted, crossValidated]) {
    assert.equal(errors?.count, 11);
    const { median = 0, p90 = 0, bias = 0 } = errors ?? {};
    for (const [actual, expected] of [
      [median, 0.3],
      [p90, 0.8],
      [bias, -0.02],
    ] as const) {
      assert.ok(Math.abs(actual - expected) < 1e-9, `${actual} instead of ${expected}`);
    }
  }
});

test('there are at most eight folds, and none with a single one', () => {
  const shares: number[] = [];
  const twelve = calibrateEngine(layout, fixed(new Array(12).fill(1)), (share) =>
    shares.push(share),
  );
  assert.equal(shares.length, 8);
  assert.equal(twelve.crossValidated?.count, 12);
  const [one] = steps({ ...shipped, hostSecondsPerStep: shipped.hostSecondsPerStep * 3 });
  const { crossValidated, decided } = calibrateEngine(layout, one ? [one] : []);
  assert.equal(crossValidated, undefined);
  assert.ok(decided.hostSecondsPerStep > 0.1);
});

/** Steps of a host time and a time per unit of work: a + b · size, with these relative errors. */
function lineFit(sizes: readonly number[], errors: readonly number[]) {
  return fitConstants({
    start: [1, 1],
    measured: sizes.map((size, i) => (2 + 0.5 * size) * (1 + (errors[i] as number))),
    predict: ([a = 0, b = 0]) => sizes.map((size) => a + b * size),
  });
}

// Figures of 2026-11-23: a calibration that is repeated must find the constants that were published.
test('a fit of the same measurements finds the same constants', () => {
  const cases = [
    lineFit([0, 1, 2, 4, 8, 16, 32], [0.02, -0.03, 0.01, 0.04, -0.02, 0.3, -0.01]),
    lineFit([1, 8], [0.05, -0.05]),
    lineFit([0, 4, 16], [0.01, 0.02, -0.03]),
    fitConstants({ start: [1], measured: [50, 20, 31], predict: ([a = 0]) => [a, a, a] }),
  ];
  const expected = [
    [1.980047060064773, 0.5318203240416781, 0.9984059868179835, 0.9981489371720988],
    [2.179628352606137, 0.44120266259117474, 0.9989316633481169, 0.9978304948117768],
    [2.0347084200979584, 0.48851105244359705, 0.998788040604186, 0.9981911600899201],
    [19.801000150102436, 0.9434622915910857],
  ];
  for (const [i, { constants, decided }] of cases.entries()) {
    const found = [...constants, ...decided];
    assert.equal(found.length, expected[i]?.length);
    for (const [j, value] of found.entries()) {
      const wanted = expected[i]?.[j] as number;
      assert.ok(Math.abs(value / wanted - 1) < 1e-9, `case ${i}: ${value} instead of ${wanted}`);
    }
  }
});
