import assert from 'node:assert/strict';
import { test } from 'node:test';
import { findGpu, findModel, rooflineCost, type StepLoad } from '../engine/index.ts';
import { sizeEngine } from '../sizing/index.ts';
import type { Times } from '../stats/index.ts';
import type { Trace } from '../traces/index.ts';
import { closedLoop, replayRun } from './index.ts';

const layout = { model: findModel('Qwen3-8B'), gpu: findGpu('H100') };
const cost = rooflineCost(layout);
const options = {
  ...{ cost, maxNumSeqs: 1024, maxNumBatchedTokens: 8192, promptTokens: 2000, outputTokens: 200 },
  ...{ shortest: 1, clients: 8 },
};

test('one request of each client takes as long as in the engine model, step by step', () => {
  const trace: Trace = {
    blockTokens: 16,
    requests: Array.from({ length: 8 }, (_, i) => ({
      ...{ arrivalSeconds: 0, promptTokens: 2000, outputTokens: 200 },
      blockIds: Array.from({ length: 125 }, (_, block) => i * 1000 + block),
    })),
  };
  const config = sizeEngine(layout).config;
  const { timings } = replayRun({ trace, config, cost });
  const mean = (of: (tokenSeconds: Times) => number) =>
    timings.reduce((sum, { tokenSeconds }) => sum + of(tokenSeconds), 0) / timings.length;
  const ttft = mean((tokens) => tokens[0] as number);
  const tpot = mean((tokens) => ((tokens.at(-1) as number) - (tokens[0] as number)) / 199);
  const found = closedLoop({ ...options, kvTokensMax: 400_000, requests: 8 });
  assert.ok(Math.abs(found.meanTtftSeconds / ttft - 1) < 0.001, `${found.meanTtftSeconds} ${ttft}`);
  assert.ok(Math.abs(found.meanTpotSeconds / tpot - 1) < 0.001, `${found.meanTpotSeconds} ${tpot}`);
  assert.equal(found.waitedShare, 0);
});

test('clients beyond the KV cache wait for space before their first token', () => {
  const roomy = closedLoop({ ...options, kvTokensMax: 100_000, requests: 80 });
  const tight = closedLoop({ ...options, kvTokensMax: 9000, requests: 80 });
  assert.equal(roomy.waitedShare, 0);
  assert.ok(tight.waitedShare > 0.5);
  assert.ok(tight.meanTtftSeconds > 3 * roomy.meanTtftSeconds);
});

test('decodes that outgrow the cache are preempted, and all requests end', () => {
  const found = closedLoop({
    ...{ ...options, promptTokens: 100, outputTokens: 2000 },
    ...{ kvTokensMax: 6000, requests: 24 },
  });
  assert.ok(found.waitedShare > 0);
  assert.ok(found.meanTpotSeconds > 0 && Number.isFinite(found.meanTpotSeconds));
});

test('a prompt that is preempted half computed is fully computed when it is resumed', () => {
  let prefillTokens = 0;
  const counting = {
    stepSeconds: (load: StepLoad) => {
      prefillTokens += load.prefillTokens;
      return 1;
    },
  };
  const found = closedLoop({
    ...{ ...options, cost: counting, promptTokens: 1000, outputTokens: 400 },
    ...{ clients: 2, requests: 2, maxNumBatchedTokens: 8, kvTokensMax: 2050 },
  });
  assert.equal(found.waitedShare, 0.5);
  // One request decodes, so 7 of 8 tokens of a step are for the prompt; the cache is full after 132 steps.
  assert.equal(prefillTokens, 2 * 1000 + 132 * 7);
});

test('a request that arrives during a step waits for its end, and for one more if steps are planned ahead', () => {
  const each = { stepSeconds: () => 1 };
  const alone = { ...options, cost: each, clients: 1, kvTokensMax: 100_000, requests: 10 };
  const short = { ...alone, promptTokens: 100, outputTokens: 10 };
  assert.equal(closedLoop(short).meanTtftSeconds, 1);
  // No other request: 0.25 s in transit, then a step.
  assert.equal(closedLoop({ ...short, arrivalSeconds: 0.25 }).meanTtftSeconds, 1.25);
  // Another request's step is always running, so each waits for its rest and then its own step; the first two wait less.
  const two = { ...short, clients: 2, requests: 40, arrivalSeconds: 0.25, outputTokens: 1000 };
  const mean = (ttfts: number) => Math.round(ttfts * 10) / 10;
  assert.equal(mean(closedLoop({ ...two, shortest: 0.5 }).meanTtftSeconds), 2);
  assert.equal(mean(closedLoop({ ...two, shortest: 0.5, plansAhead: true }).meanTtftSeconds), 2.9);
});
