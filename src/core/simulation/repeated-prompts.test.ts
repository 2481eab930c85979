import assert from 'node:assert/strict';
import { test } from 'node:test';
import { seededRandom } from '../base/index.ts';
import type { StepLoad } from '../engine/index.ts';
import { closedLoop } from './index.ts';
import { RepeatedPrompts } from './repeated-prompts.ts';

const prompts = (count: number) => new RepeatedPrompts(count, () => 100, seededRandom(1));

test('sends each prompt once before it repeats one', () => {
  const data = prompts(5);
  const round = () => new Set(Array.from({ length: 5 }, () => data.next()));
  assert.equal(round().size, 5);
  assert.deepEqual(round(), round());
});

test('shares whole blocks and leaves the last token to compute', () => {
  const data = prompts(1);
  const prompt = data.next();
  assert.equal(data.hitTokens(prompt), 0);
  assert.equal(data.keep(prompt), 96);
  assert.equal(data.hitTokens(prompt), 96);
  assert.equal(data.usedTokens, 96);
});

test('counts a prompt that two requests share once, until both have ended', () => {
  const data = prompts(1);
  const prompt = data.next();
  data.keep(prompt);
  data.share(prompt);
  assert.equal(data.usedTokens, 96);
  data.release(prompt);
  assert.equal(data.usedTokens, 96);
  data.release(prompt);
  assert.equal(data.usedTokens, 0);
  assert.equal(data.hitTokens(prompt), 96);
});

test('evicts the least recently used prompts that no request shares', () => {
  const data = prompts(3);
  const [first, second, third] = [data.next(), data.next(), data.next()];
  for (const prompt of [first, second, third]) data.keep(prompt);
  for (const prompt of [second, first]) data.release(prompt);
  data.shrinkIdle(100);
  assert.deepEqual(
    [first, second, third].map((prompt) => data.hitTokens(prompt)),
    [96, 0, 96],
  );
});

/** Records the prefill tokens of each step, which takes one second. */
function counted() {
  const prefills: number[] = [];
  const stepSeconds = (load: StepLoad) => {
    prefills.push(load.prefillTokens);
    return 1;
  };
  return { prefills, cost: { stepSeconds } };
}

const loop = {
  ...{ maxNumSeqs: 64, maxNumBatchedTokens: 8192, promptTokens: 101, outputTokens: 4 },
  ...{ shortest: 1, clients: 1, requests: 10, kvTokensMax: 10_000 },
};

test('a repeated prompt is computed once while the cache has space', () => {
  const { prefills, cost } = counted();
  closedLoop({ ...loop, cost, distinctPrompts: 2 });
  const computed = prefills.filter((tokens) => tokens > 0);
  assert.deepEqual(computed, [101, 101, ...Array(8).fill(5)]);
});

test('prompts that do not fit the cache together are computed again', () => {
  const { prefills, cost } = counted();
  closedLoop({ ...loop, cost, distinctPrompts: 4, kvTokensMax: 250 });
  assert.ok(prefills.filter((tokens) => tokens === 101).length > 4);
});

test('requests of the warm-up fill the cache and are not measured', () => {
  const { prefills, cost } = counted();
  const found = closedLoop({
    ...{ ...loop, cost, clients: 4, requests: 8, distinctPrompts: 4, warmUpRequests: 4 },
  });
  assert.equal(prefills[0], 404);
  assert.ok(prefills.slice(1).every((tokens) => tokens <= 20));
  // The prompt, then three more tokens.
  assert.equal(found.meanTtftSeconds, 1);
  assert.equal(found.meanTpotSeconds, 1);
});
