// Each part of the roofline by itself, on a model whose sums fit in the head.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { findGpu } from '../catalogue/find-gpu.ts';
import type { ModelSpec } from '../catalogue/model-spec.ts';
import type { StepLoad } from '../contract.ts';
import { overlapped, type RooflineOptions, rooflineCost } from './roofline.ts';

/** Two layers of 600 attention weights and 900 feed-forward weights each; an output layer of 1,000. */
const small: ModelSpec = {
  ...{ name: 'small', source: 'made up', contextTokensMax: 1000, bytesPerValue: 2 },
  ...{ layers: 2, hiddenSize: 10, attentionHeads: 4, kvHeads: 2, headDim: 5 },
  ...{ intermediateSize: 30, feedForwardMatrices: 3, experts: undefined },
  ...{ vocabSize: 100, tiedEmbeddings: false },
};

const idle: StepLoad = {
  ...{ sequences: 0, tokens: 0, prefillTokens: 0, prefillTokenContext: 0 },
  ...{ prefillTokensSquared: 0, decodeSequences: 0, decodeContextTokens: 0 },
};

/** One prompt of 6 tokens after 4 computed ones. */
const prompt: StepLoad = {
  ...{ ...idle, sequences: 1, tokens: 6, prefillTokens: 6 },
  ...{ prefillTokenContext: 24, prefillTokensSquared: 36 },
};

/** Three decodes of 100 tokens of context together. */
const decodes: StepLoad = {
  ...{ ...idle, sequences: 3, tokens: 3, decodeSequences: 3, decodeContextTokens: 100 },
};

type Rate = 'matrix' | 'attention' | 'weightMemory' | 'kvMemory';

/** Seconds of a step in which everything is free but the work of one rate, which is 1 per second. */
function secondsOf(rate: Rate, load: StepLoad, options: Partial<RooflineOptions> = {}): number {
  const free = {
    matrix: Infinity,
    attention: Infinity,
    weightMemory: Infinity,
    kvMemory: Infinity,
  };
  return seconds(load, { constants: { ...free, layerSeconds: 0, [rate]: 1 }, ...options });
}

function seconds(load: StepLoad, options: Partial<RooflineOptions>): number {
  const gpu = { ...findGpu('H100'), flopsPerSecond: 1, memoryBytesPerSecond: 1 };
  const link = { latencySeconds: 0, bytesPerSecond: Infinity };
  const cost = rooflineCost({ model: small, gpu, link, hostSecondsPerStep: 0, ...options });
  return cost.stepSeconds(load);
}

function assertNear(actual: number, expected: number): void {
  assert.ok(Math.abs(actual - expected) <= 1e-9 * expected, `${actual} instead of ${expected}`);
}

test('matrix products take two operations a weight and token, the output layer only last tokens', () => {
  assertNear(secondsOf('matrix', prompt), 2 * 6 * (1200 + 1800) + 2 * 1 * 1000);
  assertNear(secondsOf('matrix', decodes), 2 * 3 * (1200 + 1800) + 2 * 3 * 1000);
  const shared = { tensorParallelSize: 2 };
  assertNear(secondsOf('matrix', decodes, shared), 2 * 3 * (600 + 900) + 2 * 3 * 500);
});

test('weights are read once a step, whatever its tokens, each GPU its part', () => {
  assertNear(secondsOf('weightMemory', decodes), 2 * (1200 + 1800 + 1000));
  assertNear(secondsOf('weightMemory', prompt), 2 * (1200 + 1800 + 1000));
  assertNear(secondsOf('weightMemory', prompt, { tensorParallelSize: 4 }), 2 * (300 + 450 + 250));
});

test('fewer bits save traffic of the layers, not of the output layer', () => {
  const weightBytesPerValue = 1;
  assertNear(secondsOf('weightMemory', decodes, { weightBytesPerValue }), 3000 + 2 * 1000);
  const mixed = { weightBytesPerValue, attentionBytesPerValue: 2 };
  assertNear(secondsOf('weightMemory', decodes, mixed), 2 * 1200 + 1800 + 2 * 1000);
});

test('a mixture reads the experts that its tokens go to, and keeps 4-bit weights to the experts', () => {
  // One token: 2 of 4 experts of 900 weights, and a router of 40.
  const model = { ...small, experts: { count: 4, perToken: 2 } };
  const one = { ...decodes, sequences: 1, tokens: 1, decodeSequences: 1 };
  const attention = 2 * (600 + 40);
  assertNear(secondsOf('weightMemory', one, { model }), 2 * (attention + 2 * 1800 + 1000));
  const fourBits = { model, weightBytesPerValue: 0.5 };
  assertNear(secondsOf('weightMemory', one, fourBits), 2 * attention + 1800 + 2 * 1000);
  assertNear(secondsOf('matrix', one, { model }), 2 * (attention + 2 * 1800) + 2 * 1000);
});

test('tensor cores multiply fp8 twice and fp4 four times as fast, where they have it and weights are not only stored so', () => {
  const speedUp = (name: string, weightBytesPerValue: number, weightOnly = false) => {
    const gpu = { ...findGpu(name), flopsPerSecond: 1, memoryBytesPerSecond: 1 };
    const options = { gpu, weightBytesPerValue, weightOnly };
    return secondsOf('matrix', prompt) / secondsOf('matrix', prompt, options);
  };
  assert.deepEqual(
    [speedUp('H100', 2), speedUp('H100', 1), speedUp('H100', 0.5), speedUp('H100', 1, true)],
    [1, 2, 2, 1],
  );
  assert.deepEqual([speedUp('B200', 1), speedUp('B200', 0.5), speedUp('A100', 1)], [2, 4, 1]);
});

test('attention of a prompt counts its context and half of itself', () => {
  // 6 · 4 + 36 / 2 pairs; 2 layers · 4 operations · 4 heads of 5.
  assertNear(secondsOf('attention', prompt), (24 + 18) * 160);
  assertNear(secondsOf('attention', prompt, { tensorParallelSize: 2 }), (24 + 18) * 80);
  assert.equal(secondsOf('attention', decodes), 0);
});

test('layers with a window attend to no more than the window for each token', () => {
  const windowed = (tokens: number) => ({
    model: { ...small, slidingWindow: { tokens, layersShare: 0.75 } },
  });
  assertNear(secondsOf('attention', prompt, windowed(2)), (42 * 0.25 + 12 * 0.75) * 160);
  assertNear(secondsOf('attention', prompt, windowed(50)), 42 * 160);
});

test('a decode reads its context, of which a window leaves less', () => {
  const withoutContext = { ...decodes, decodeContextTokens: 0 };
  const read = (options: Partial<RooflineOptions> = {}) =>
    secondsOf('kvMemory', decodes, options) - secondsOf('kvMemory', withoutContext, options);
  // 2 · 2 layers · 2 heads · 5 values · 2 bytes.
  assertNear(read(), 100 * 80);
  assertNear(read({ tensorParallelSize: 2 }), 100 * 40);
  // Each of four GPUs holds a copy of one of the two heads.
  assertNear(read({ tensorParallelSize: 4 }), 100 * 40);
  const model = { ...small, slidingWindow: { tokens: 10, layersShare: 0.75 } };
  assertNear(read({ model }), 100 * 80 * (1 - 0.75 * (1 - 10 / (100 / 3))));
});

test('activations pass memory: the residual stream on each GPU, the rest split over them', () => {
  // Two bytes of: 8 · 10 for the stream, 3 · 30 of the feed-forward part, 2 · (4 + 2) · 5 of heads.
  assertNear(secondsOf('kvMemory', prompt), 6 * 2 * (80 + 90 + 60) * 2);
  const split = { tensorParallelSize: 2 };
  assertNear(secondsOf('kvMemory', prompt, split), 6 * 2 * (80 + 45 + 30) * 2);
  const model = { ...small, experts: { count: 4, perToken: 2 } };
  assertNear(secondsOf('kvMemory', prompt, { model }), 6 * 2 * (80 + 180 + 60) * 2);
});

test('groups of data-parallel attention share decodes and experts, and one prompt is computed by one', () => {
  const attentionDataParallelSize = 3;
  const layout = { attentionDataParallelSize };
  assertNear(secondsOf('attention', prompt, layout), 42 * 160);
  // Two equal prompts keep two groups busy; many tiny ones no more than there are.
  const two = { ...prompt, tokens: 12, prefillTokens: 12, prefillTokenContext: 48 };
  assertNear(secondsOf('attention', { ...two, prefillTokensSquared: 72 }, layout), (84 * 160) / 2);
  const tiny = { ...prompt, prefillTokenContext: 0, prefillTokensSquared: 6 };
  assertNear(secondsOf('attention', tiny, layout), (3 * 160) / 3);
  const matrix = 2 * (1 * 1200 + 3 * (1800 / 3)) + (2 * 3 * 1000) / 3;
  assertNear(secondsOf('matrix', decodes, layout), matrix);
  assertNear(secondsOf('matrix', prompt, layout), 2 * (6 * 1200 + 6 * 600) + 2000 / 3);
  assertNear(secondsOf('weightMemory', decodes, layout), 2 * (1200 + 600 + 1000));
  const activations = (3 * 2 * 230 * 2) / 3;
  assertNear(secondsOf('kvMemory', decodes, layout), activations + (100 * 80) / 3);
});

test('the host and the gaps of the layers come on top; launches of a prompt hide behind its kernels', () => {
  const free = {
    matrix: Infinity,
    attention: Infinity,
    weightMemory: Infinity,
    kvMemory: Infinity,
  };
  const constants = { ...free, layerSeconds: 1.5, prefillLayerSeconds: 2 };
  assertNear(seconds(decodes, { constants, hostSecondsPerStep: 0.5 }), 0.5 + 2 * 1.5);
  // Kernels of 3 s and launches of 4 s.
  const eager = { constants, graphTokensMax: 0 };
  assertNear(seconds(prompt, { ...eager, hostSecondsPerStep: 0.5 }), 0.5 + 5);
  const single = { ...idle, sequences: 1, tokens: 1, prefillTokens: 1, prefillTokensSquared: 1 };
  assertNear(seconds(single, eager), 5);
  const short = { ...constants, prefillLayerSeconds: 0.5 };
  assertNear(seconds(prompt, { ...eager, constants: short }), overlapped(3, 1));
});

test('a step that CUDA graphs hold has their gaps in place of launches, if it computes a prompt', () => {
  const free = {
    ...{ matrix: Infinity, attention: Infinity, weightMemory: Infinity, kvMemory: Infinity },
    ...{ layerSeconds: 1.5, prefillLayerSeconds: 2, graphLayerSeconds: 0.25 },
  };
  const of = (load: StepLoad, graphTokensMax?: number) =>
    seconds(load, { constants: free, hostSecondsPerStep: 0, graphTokensMax });
  assertNear(of(prompt, 6), 2 * (1.5 + 0.25));
  assertNear(of(prompt, 5), 5);
  assertNear(of(decodes, 6), 2 * 1.5);
  // vLLM's default is 512 tokens.
  const [last, first] = [512, 513].map((tokens) => ({ ...prompt, tokens, prefillTokens: tokens }));
  assertNear(of(last as StepLoad), 2 * (1.5 + 0.25));
  assertNear(of(first as StepLoad), 5);
});

test('the host’s time for each prompt counts prompts and parts of them, not decodes', () => {
  const constants = {
    ...{ matrix: Infinity, attention: Infinity, weightMemory: Infinity, kvMemory: Infinity },
    layerSeconds: 0,
  };
  const host = { constants, hostSecondsPerStep: 0.5, hostSecondsPerPrompt: 2 };
  assertNear(seconds(decodes, host), 0.5);
  assertNear(seconds(prompt, host), 2.5);
  assertNear(seconds({ ...decodes, sequences: 5, prefillTokens: 2, tokens: 5 }, host), 4.5);
});

test('each GPU computes a router of float32 whole, outside its tensor cores', () => {
  const experts = { count: 4, perToken: 2, hasFloat32Router: true };
  const routed = { ...small, experts };
  const constants = {
    ...{ matrix: Infinity, attention: Infinity, weightMemory: Infinity, kvMemory: Infinity },
    ...{ layerSeconds: 0, float32FlopsPerSecond: 16 },
  };
  const options = {
    constants,
    hostSecondsPerStep: 0,
    link: { latencySeconds: 0, bytesPerSecond: Infinity },
  };
  // 6 tokens · 2 layers · 10 values · 4 experts, two operations each, at 16 a second.
  for (const tensorParallelSize of [1, 2]) {
    const cost = rooflineCost({
      model: routed,
      gpu: findGpu('H100'),
      tensorParallelSize,
      ...options,
    });
    assertNear(cost.stepSeconds(prompt), (6 * 2 * 2 * 10 * 4) / 16);
  }
  const plain = { ...routed, experts: { count: 4, perToken: 2 } };
  assert.equal(
    rooflineCost({ model: plain, gpu: findGpu('H100'), ...options }).stepSeconds(prompt),
    0,
  );
});

test('norms over all heads cost GPUs that share them one more all-reduce of almost nothing', () => {
  const constants = {
    ...{ matrix: Infinity, attention: Infinity, weightMemory: Infinity, kvMemory: Infinity },
    layerSeconds: 0,
  };
  const options = {
    constants,
    hostSecondsPerStep: 0,
    link: { latencySeconds: 3, bytesPerSecond: Infinity },
  };
  const of = (model: ModelSpec, tensorParallelSize: number) =>
    rooflineCost({ model, gpu: findGpu('H100'), tensorParallelSize, ...options }).stepSeconds(
      prompt,
    );
  assertNear(of(small, 2), 2 * 2 * 3);
  assertNear(of({ ...small, normalizesAllHeads: true }, 2), 2 * 3 * 3);
  assert.equal(of({ ...small, normalizesAllHeads: true }, 1), 0);
});

test('kernels of experts compute some rows more for each expert in use', () => {
  const experts = { count: 4, perToken: 2 };
  const mixture = { ...small, experts };
  const of = (expertRowsAdded: number) => {
    const constants = {
      ...{ attention: Infinity, weightMemory: Infinity, kvMemory: Infinity, layerSeconds: 0 },
      ...{ matrix: 1, expertRowsAdded },
    };
    const gpu = { ...findGpu('H100'), flopsPerSecond: 1 };
    return rooflineCost({ model: mixture, gpu, constants, hostSecondsPerStep: 0 }).stepSeconds(
      prompt,
    );
  };
  // All four experts are in use but for 1/64 of each, of 900 weights in each of two layers.
  assertNear(of(5) - of(0), 2 * 2 * 4 * (1 - 0.5 ** 6) * 900 * 5);
});

test('GPUs that share a layer sum up twice in it; those that share experts alone, once, and wait once', () => {
  const free = {
    matrix: Infinity,
    attention: Infinity,
    weightMemory: Infinity,
    kvMemory: Infinity,
  };
  const constants = { ...free, layerSeconds: 0 };
  const link = { latencySeconds: 3, bytesPerSecond: 2 };
  // A tensor of 6 tokens · 10 values · 2 bytes; a ring of two sends all of it.
  const once = 3 + 120 / 2;
  const summed = (layout: object) => seconds(prompt, { constants, link, ...layout });
  assertNear(summed({ tensorParallelSize: 2 }), 2 * 2 * once);
  assertNear(summed({ attentionDataParallelSize: 2 }), 2 * (once + 3));
  assert.equal(summed({}), 0);
});

test('without constants of their own, host, gaps and link are those of the GPU', () => {
  const gpu = findGpu('H100');
  const { matrix, attention, memory } = gpu.efficiency;
  const given = {
    constants: { matrix, attention, weightMemory: memory, kvMemory: memory, layerSeconds: 11e-6 },
    hostSecondsPerStep: 0.6e-3,
  };
  const plain = rooflineCost({ model: small, gpu });
  assert.equal(
    plain.stepSeconds(prompt),
    rooflineCost({ model: small, gpu, ...given }).stepSeconds(prompt),
  );
});

test('arithmetic and memory traffic hide each other as the sides of a right angle', () => {
  assert.equal(overlapped(3, 4), 5);
  assert.equal(overlapped(0, 4), 4);
});

test('rows set aside for experts are moved at the rate of the KV cache, those between its products by all GPUs', () => {
  const model = { ...small, experts: { count: 4, perToken: 1 } };
  const paddingOf = (options: Partial<RooflineOptions>) =>
    secondsOf('kvMemory', decodes, { model, rowsPerExpert: 5, ...options }) -
    secondsOf('kvMemory', decodes, { model, ...options });
  // In each layer, 20 rows: 10 values of 1 + 2 bytes in and out, and 3 * 30 values of 2 bytes between.
  assertNear(paddingOf({}), 2 * 20 * (10 * 3 + 3 * 30 * 2));
  assertNear(paddingOf({ tensorParallelSize: 2 }), 2 * 20 * (10 * 3 + (3 * 30 * 2) / 2));
});
