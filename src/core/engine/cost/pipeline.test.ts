import assert from 'node:assert/strict';
import { test } from 'node:test';
import { findModel } from '../catalogue/models.ts';
import { defaultEngineConfig } from '../config.ts';
import type { StepLoad } from '../contract.ts';
import { pipelinedConfig, pipelinedCost } from './pipeline.ts';

/** Four requests: one prompt of 80 tokens after 100, three decodes of 600 tokens together. */
const load: StepLoad = {
  ...{ sequences: 4, tokens: 84, prefillTokens: 80, prefillTokenContext: 8000 },
  ...{ prefillTokensSquared: 6400, decodeSequences: 3, decodeContextTokens: 600 },
};

const model = { ...findModel('opt-125m'), hiddenSize: 100, bytesPerValue: 2 };

/** The seconds of a pipeline, and the load of one batch that it asked the whole engine's cost for. */
function pipelined(stages: number, step: StepLoad, linkBytesPerSecond = 200) {
  let asked: StepLoad | undefined;
  const whole = {
    stepSeconds(part: StepLoad) {
      asked = part;
      return 10;
    },
  };
  const cost = pipelinedCost(whole, { stages, model, linkBytesPerSecond });
  return { seconds: cost.stepSeconds(step), asked };
}

test('a pipeline computes one batch of its requests per step and transfers its tokens between stages', () => {
  const { seconds, asked } = pipelined(2, load);
  assert.deepEqual(asked, {
    ...{ sequences: 2, tokens: 42, prefillTokens: 40, prefillTokenContext: 4000 },
    ...{ prefillTokensSquared: 3200, decodeSequences: 1.5, decodeContextTokens: 300 },
  });
  // One gap, 42 tokens of 200 bytes, 200 bytes a second.
  assert.equal(seconds, 10 + 42);
  // Three gaps, 21 tokens.
  assert.equal(pipelined(4, load).seconds, 10 + 3 * 21);
});

test('fewer requests than stages leave stages idle; a batch has at least one request', () => {
  assert.equal(pipelined(8, load).asked?.sequences, 1);
  assert.equal(pipelined(8, load).seconds, 10 + 7 * 21);
  const single = { ...load, sequences: 1, tokens: 84 };
  assert.deepEqual(pipelined(2, single).asked, single);
  const none = { ...load, sequences: 0, tokens: 0 };
  assert.deepEqual(pipelined(2, none).asked, none);
});

test('a pipeline of one stage is the engine itself', () => {
  const cost = { stepSeconds: () => 10 };
  assert.equal(pipelinedCost(cost, { stages: 1, model, linkBytesPerSecond: 1 }), cost);
});

test('a pipeline has the token budget of all its batches; nothing else changes', () => {
  const config = defaultEngineConfig({ numGpuBlocks: 100, maxModelLen: 500 });
  assert.deepEqual(pipelinedConfig(config, 3), { ...config, maxNumBatchedTokens: 3 * 2048 });
});
