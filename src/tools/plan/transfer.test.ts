import assert from 'node:assert/strict';
import { test } from 'node:test';
import { findGpu, findModel } from '../../core/engine/index.ts';
import { layoutOf } from './layout.ts';
import { hostMemory, prefillSeconds, transferBreakEven } from './transfer.ts';

const free = { gpuPricePerHour: undefined, gpuMemoryUtilization: undefined, maxModelLen: 16_384 };
const layoutWith = (model: string, gpusPerEngine: number) =>
  layoutOf({ ...free, model: findModel(model), gpu: findGpu('H100'), gpusPerEngine });

test('host memory beats prefill from few tokens on; a slow shared store beats it only for large models', () => {
  const small = transferBreakEven(layoutWith('Qwen3-8B', 1));
  assert.ok((small.hostTokens ?? Infinity) <= 64, `${small.hostTokens}`);
  // 15 Gbit/s over 144 KiB per token are 12,700 tokens/s, and the engine computes more.
  assert.ok(Math.abs(small.storeTokensPerSecond / 12_716 - 1) < 0.01);
  assert.ok(small.prefillTokensPerSecond > small.storeTokensPerSecond);
  const large = transferBreakEven(layoutWith('meta-llama/Llama-3.1-70B', 4));
  for (const { hostTokens, hostTokensPerSecond, prefillTokensPerSecond } of [small, large]) {
    assert.ok(hostTokens !== undefined && hostTokensPerSecond > prefillTokensPerSecond);
  }
});

test('from the break-even on a transfer is faster, and one block below it is not', () => {
  const layout = layoutWith('Qwen3-32B', 2);
  const { hostTokens = 0, hostTokensPerSecond } = transferBreakEven(layout);
  assert.ok(hostTokens / hostTokensPerSecond < prefillSeconds(layout, hostTokens));
  const shorter = hostTokens - 16;
  if (shorter > 0) {
    assert.ok(shorter / hostTokensPerSecond >= prefillSeconds(layout, shorter));
  }
});

test('host memory has a price per hour and saves the engines that its gain replaces', () => {
  const { gib, pricePerHour, enginesSaved } = hostMemory(100, 8, 0.25);
  assert.deepEqual([gib, enginesSaved], [800, 2]);
  assert.ok(Math.abs(pricePerHour - (800 * 4) / 730) < 1e-9);
  assert.equal(hostMemory(100, 8, -0.05).enginesSaved, 0);
});
