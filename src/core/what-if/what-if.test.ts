import assert from 'node:assert/strict';
import { test } from 'node:test';
import { gpuNames, modelLike, modelNames, type ObservedRequest, whatIf } from './index.ts';

/** Requests at a steady rate, of which half the prompt was cached. */
function traffic(count: number, perSecond: number): ObservedRequest[] {
  return Array.from({ length: count }, (_, i) => ({
    ...{ arrivalSeconds: 100 + i / perSecond, promptTokens: 2_000, cachedTokens: 1_000 },
    outputTokens: 100,
  }));
}

const question = {
  ...{ requests: traffic(100, 10), engines: 2, model: 'Qwen3-8B', gpu: 'H100-80GB' },
  ...{ policy: 'predictive', load: 1 },
};

test('the rate of the traffic is kept, and multiplied by the load', () => {
  assert.ok(Math.abs(whatIf(question).requestsPerSecond - 10) < 0.1);
  assert.ok(Math.abs(whatIf({ ...question, load: 3 }).requestsPerSecond - 30) < 0.3);
});

test('a fleet that is too small is overloaded, and more engines are faster', () => {
  const small = whatIf({ ...question, engines: 1, load: 20 });
  assert.ok(small.isOverloaded);
  assert.ok(small.utilization > 0.9, String(small.utilization));
  const large = whatIf({ ...question, engines: 16, load: 20 });
  assert.ok(!large.isOverloaded);
  assert.ok((large.ttft.p90 ?? 0) < (small.ttft.p90 ?? 0) / 4);
});

test('about as much of the prompts is cached as was observed', () => {
  const { hitRate } = whatIf({ ...question, engines: 1 });
  assert.ok(hitRate > 0.45 && hitRate < 0.55, String(hitRate));
});

test('responses without token counts count as the mean, which is said', () => {
  const requests = traffic(20, 10).map((one, i) => (i < 10 ? { ...one, outputTokens: null } : one));
  const { notes } = whatIf({ ...question, requests });
  assert.ok(notes.some((note) => note.startsWith('10 responses reported no token counts')));
});

test('bad input gets one sentence', () => {
  assert.throws(() => whatIf({ ...question, engines: 0 }), /from 1 to 512/);
  assert.throws(() => whatIf({ ...question, load: 0 }), /above 0/);
  assert.throws(() => whatIf({ ...question, requests: traffic(3, 1) }), /needs 8 recent requests/);
  const silent = traffic(20, 1).map((one) => ({ ...one, outputTokens: null }));
  assert.throws(() => whatIf({ ...question, requests: silent }), /include_usage/);
  assert.throws(() => whatIf({ ...question, model: 'Qwen3-235B-A22B', gpu: 'L4-24GB' }), Error);
});

test('a served model has a likely entry of the catalogue', () => {
  assert.equal(modelLike('Qwen/Qwen3-8B'), 'Qwen/Qwen3-8B');
  assert.equal(modelLike('qwen3-8b'), 'Qwen/Qwen3-8B');
  assert.ok(modelNames.includes(modelLike('meta-llama/Some-70B-Instruct')));
  assert.ok(modelNames.includes(modelLike('x')));
  assert.ok(gpuNames.includes('H100-80GB'));
});
