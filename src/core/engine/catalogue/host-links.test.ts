// The native offload of an engine with a known layout.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { findGpu } from './find-gpu.ts';
import { hostLink, nativeOffloadFor } from './host-links.ts';
import { kvBytesPerTokenPerGpu } from './model-spec.ts';
import { findModel } from './models.ts';
import { typicalStepSeconds } from './tier-costs.ts';

const gpu = findGpu('H100');
const hostBytes = 64 * 2 ** 30;

function offloadOf(name: string, tensorParallelSize: number) {
  const model = findModel(name);
  return {
    model,
    offload: nativeOffloadFor({ model, gpu, tensorParallelSize }, { blockSize: 16, hostBytes }),
  };
}

test('each GPU copies its own KV heads over its own link', () => {
  const { model, offload } = offloadOf('Qwen3-8B', 4);
  assert.equal(offload.blockBytesPerGpu, 16 * kvBytesPerTokenPerGpu(model, 4));
  assert.equal(offload.chunkBytes, 4 * offload.blockBytesPerGpu, 'a whole number of pages');
  assert.deepEqual(offload.link, hostLink(gpu));
  assert.equal(offload.stepSeconds, typicalStepSeconds.native);
});

test('of latent attention, which every GPU holds whole, one copy is kept', () => {
  const { offload } = offloadOf('deepseek-ai/DeepSeek-V3', 8);
  const pageBytes = 4096;
  const pages = Math.ceil(offload.blockBytesPerGpu / pageBytes);
  assert.equal(offload.chunkBytes, pages * pageBytes);
});
