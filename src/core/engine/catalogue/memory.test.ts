// Computes how a GPU's memory is used, in round numbers.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { findGpu } from './find-gpu.ts';
import { kvBlocks, memoryBudget } from './memory.ts';
import type { ModelSpec } from './model-spec.ts';

/**
 * Two layers with a million feed-forward and 200,000 attention weights each, and 500,000 weights of
 * each embedding.
 */
const model: ModelSpec = {
  ...{ name: 'round', source: 'made up', contextTokensMax: 4096, bytesPerValue: 2 },
  ...{ layers: 2, hiddenSize: 500, attentionHeads: 10, kvHeads: 10, headDim: 10 },
  ...{ intermediateSize: 1000, feedForwardMatrices: 2, experts: undefined },
  ...{ vocabSize: 1000, tiedEmbeddings: false },
};
const gpu = { ...findGpu('A100'), memoryBytes: 1e9 };
const limits = { blockSize: 16, maxNumBatchedTokens: 1000, maxNumSeqs: 100 };

const layerBytes = 2 * (200_000 + 1_000_000) * 2;
const embeddingBytes = 2 * 500_000 * 2;

test('a GPU’s memory holds weights, activations and logits of a full batch, a fixed part, and KV cache', () => {
  const budget = memoryBudget({ model, gpu }, limits);
  assert.deepEqual(
    { ...budget, kvCacheBytes: 0, headroomBytes: Math.round(budget?.headroomBytes ?? 0) },
    {
      weightBytes: layerBytes + embeddingBytes,
      activationBytes: 1000 * (2 * 1000 + 2 * 500) * 2,
      logitsBytes: 100 * 1000 * 4 * 2.4,
      fixedBytes: 0.71e9,
      kvCacheBytes: 0,
      headroomBytes: 80_000_000,
    },
  );
  const parts = Object.values(budget ?? {}).reduce((sum, bytes) => sum + bytes, 0);
  assert.ok(Math.abs(parts - 1e9) < 1, `${parts} bytes of 1e9`);
  const half = memoryBudget({ model, gpu, gpuMemoryUtilization: 0.5 }, limits);
  assert.equal(half?.headroomBytes, 0.5e9);
  assert.equal(memoryBudget({ model, gpu: { ...gpu, memoryBytes: undefined } }, limits), undefined);
});

test('weights and feed-forward activations are split over the GPUs of the engine', () => {
  const layout = { model, gpu, tensorParallelSize: 2, pipelineParallelSize: 2 };
  const budget = memoryBudget(layout, limits);
  assert.equal(budget?.weightBytes, (layerBytes + embeddingBytes) / 4);
  assert.equal(budget?.activationBytes, 1000 * (1000 + 1000) * 2);
});

test('a quantization does not change the embedding', () => {
  const budget = memoryBudget({ model, gpu, weightBytesPerValue: 1 }, limits);
  assert.equal(budget?.weightBytes, layerBytes / 2 + embeddingBytes);
});

test('cores that share experts hold a part of them each', () => {
  const mixture = { ...model, experts: { count: 4, perToken: 2 } };
  // Two layers with 4 experts of a million weights each, with attention, and with a router of 2,000
  // weights.
  const rest = 2 * (200_000 + 2000) * 2 + embeddingBytes;
  const weights = (expertCores?: number) =>
    memoryBudget({ model: mixture, gpu, ...(expertCores && { expertCores }) }, limits)?.weightBytes;
  assert.equal(weights(), rest + 2 * 4e6 * 2);
  assert.equal(weights(4), rest + (2 * 4e6 * 2) / 4);
  const activations = memoryBudget({ model: mixture, gpu }, limits)?.activationBytes;
  assert.equal(activations, 1000 * (2 * 2 * 1000 + 2 * 500) * 2, 'two experts a token');
});

test('the number of blocks is the free or given memory over the bytes of a block on one GPU', () => {
  // 2 · 2 layers · 10 heads · 10 values · 2 bytes · 16 tokens.
  const blockBytes = 12_800;
  const left = memoryBudget({ model, gpu }, limits)?.kvCacheBytes ?? 0;
  assert.equal(kvBlocks({ model, gpu }, limits), Math.floor(left / blockBytes));
  const given = (bytes: number, more = {}) =>
    kvBlocks({ model, gpu, kvCacheMemoryBytes: bytes, ...more }, limits);
  assert.equal(given(10 * blockBytes), 10);
  assert.equal(given(10 * blockBytes - 1), 9);
  assert.equal(given(10 * blockBytes, { tensorParallelSize: 2 }), 20);
  assert.equal(given(10 * blockBytes, { pipelineParallelSize: 2 }), 20);
  assert.equal(given(2 * blockBytes), 2);
  assert.throws(
    () => given(2 * blockBytes - 1, { tensorParallelSize: 1, pipelineParallelSize: 1 }),
    /round leaves no space for KV cache on 1 × A100[^:]*: its weights take 0.0 GB of 1.0 GB per GPU/,
  );
  const cpu = { ...gpu, memoryBytes: undefined };
  assert.equal(kvBlocks({ model, gpu: cpu }, limits), Math.floor((4 * 2 ** 30) / blockBytes));
});
