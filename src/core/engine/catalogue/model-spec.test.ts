// Figures that follow from the shape of a model, on shapes that allow mental arithmetic.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  attentionFlopsPerPair,
  attentionLayerParameters,
  bytesPerWeightOf,
  checkHeadsShared,
  embeddingParameters,
  expertsTouched,
  feedForwardPerToken,
  feedForwardTouched,
  kvBytesPerToken,
  kvBytesPerTokenPerGpu,
  kvShareRead,
  layerParameters,
  type ModelSpec,
  modelParameters,
  weightBytes,
} from './model-spec.ts';

/** Layers of 600 attention weights and 900 feed-forward weights; an embedding of 1,000 weights. */
const dense: ModelSpec = {
  ...{ name: 'dense', source: 'made up', contextTokensMax: 1000, bytesPerValue: 2 },
  ...{ layers: 2, hiddenSize: 10, attentionHeads: 4, kvHeads: 2, headDim: 5 },
  ...{ intermediateSize: 30, feedForwardMatrices: 3, experts: undefined },
  ...{ vocabSize: 100, tiedEmbeddings: false },
};
/** Each token goes to 2 of 8 experts and through one that all share; the router has 80 weights. */
const mixture: ModelSpec = { ...dense, experts: { count: 8, perToken: 2, shared: 1 } };
const latent: ModelSpec = {
  ...dense,
  latentAttention: {
    ...{ qLoraRank: 6, kvLoraRank: 7, qkNopeHeadDim: 3, qkRopeHeadDim: 2, vHeadDim: 4 },
  },
};

test('a layer has its attention, its feed-forward part and, in a mixture, all experts and a router', () => {
  assert.equal(layerParameters(dense), 600 + 900);
  assert.equal(layerParameters({ ...dense, feedForwardMatrices: 2 }), 600 + 600);
  assert.equal(layerParameters(mixture), 600 + 9 * 900 + 80);
  assert.equal(layerParameters({ ...dense, experts: { count: 8, perToken: 2 } }), 600 + 7200 + 80);
  assert.equal(attentionLayerParameters(dense), 600);
  assert.equal(attentionLayerParameters(mixture), 680);
});

test('latent attention compresses queries and keys, and its cache is one vector per token', () => {
  const queries = 6 * (10 + 4 * (3 + 2));
  const keys = 10 * (7 + 2) + 7 * 4 * (3 + 4);
  assert.equal(attentionLayerParameters(latent), queries + keys + 4 * 4 * 10);
  assert.equal(kvBytesPerToken(latent), 2 * (7 + 2) * 2);
  assert.equal(kvBytesPerTokenPerGpu(latent, 4), 36, 'each GPU has its own copy');
  assert.equal(attentionFlopsPerPair(latent), 2 * 4 * (3 + 2 + 4));
});

test('a model has its layers and its embedding, which the output layer may share', () => {
  assert.equal(embeddingParameters(dense), 2000);
  assert.equal(embeddingParameters({ ...dense, tiedEmbeddings: true }), 1000);
  assert.equal(modelParameters(dense), 2000 + 2 * 1500);
  assert.equal(weightBytes(dense), 2 * 5000);
});

test('KV cache is a key and a value per layer and KV head, split over GPUs until each has one head', () => {
  assert.equal(kvBytesPerToken(dense), 2 * 2 * 2 * 5 * 2);
  assert.equal(kvBytesPerToken({ ...dense, kvBytesPerValue: 1 }), 40);
  assert.deepEqual(
    [1, 2, 4].map((gpus) => kvBytesPerTokenPerGpu(dense, gpus)),
    [80, 40, 40],
  );
  assert.equal(attentionFlopsPerPair(dense), 4 * 4 * 5);
});

test('with a sliding window, attention reads only a share of the context', () => {
  const windowed = { ...dense, slidingWindow: { tokens: 100, layersShare: 0.5 } };
  assert.equal(kvShareRead(dense, 1000), 1);
  assert.equal(kvShareRead(windowed, 100), 1);
  assert.equal(kvShareRead(windowed, 400), 1 - 0.5 * 0.75);
});

test('a token uses its own experts and the shared ones; a batch reads those that any token uses', () => {
  assert.equal(feedForwardPerToken(dense), 900);
  assert.equal(feedForwardPerToken(mixture), 3 * 900);
  assert.equal(feedForwardPerToken({ ...dense, experts: { count: 8, perToken: 2 } }), 1800);
  assert.equal(feedForwardTouched(dense, 50), 900);
  assert.equal(feedForwardTouched(mixture, 1), 3 * 900);
  // Each of two tokens misses an expert with probability 3/4.
  assert.equal(expertsTouched(mixture, 2), 8 * (1 - 0.75 ** 2));
  assert.equal(feedForwardTouched(mixture, 2), (8 * (1 - 0.75 ** 2) + 1) * 900);
  assert.equal(expertsTouched(dense, 2), 0);
});

test('tokens share popular experts: three tokens with exponential popularity', () => {
  // (1 − 1/4) · (1 + 2 · 1/4)⁻¹ of the experts are missed.
  assert.equal(expertsTouched(mixture, 3, 1), 8 * (1 - 0.75 / 1.5));
  assert.equal(expertsTouched(mixture, 3, 2), 8 * (1 - 0.75 * (1 + 0.5 / 2) ** -2));
  assert.equal(feedForwardTouched(mixture, 3, 1), (4 + 1) * 900);
  assert.equal(expertsTouched(mixture, 1, 1), 2);
});

test('a quantization setting takes precedence over the checkpoint’s, which takes precedence over the model’s values', () => {
  assert.equal(bytesPerWeightOf(dense), 2);
  assert.equal(bytesPerWeightOf({ ...dense, weightPrecision: 'fp8' }), 1);
  assert.equal(bytesPerWeightOf({ ...dense, weightPrecision: 'fp8' }, 'awq') < 1, true);
  assert.equal(bytesPerWeightOf(dense, 'fp8'), 1);
});

test('refuses GPUs that cannot share the heads evenly', () => {
  for (const gpus of [1, 2, 4]) checkHeadsShared(dense, gpus);
  assert.throws(() => checkHeadsShared(dense, 3), /4 attention heads, which 3 GPUs .*cannot share/);
});
