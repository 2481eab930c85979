import assert from 'node:assert/strict';
import { test } from 'node:test';
import { engine, promptOf, send } from '../../../test/support/peer-fleet.ts';
import { seededRandom } from '../base/index.ts';
import type { Policy } from '../routing/index.ts';
import { DynamoPolicy } from './dynamo.ts';
import { approximatePrefixes } from './prefix-source.ts';

const make = (): Policy =>
  new DynamoPolicy({ name: 'dynamo', random: seededRandom(1), prefixes: approximatePrefixes() });

test('dynamo: the cost is uncached prefill in flight with this prompt, plus distinct active blocks', () => {
  const policy = make();
  const [a, b] = [engine('a', { prefillTokens: 640 }), engine('b', { prefillTokens: 128 })];
  const first = send(policy, promptOf('wxyz'), a);
  send(policy, promptOf('wxuv'), a);
  const { scores } = policy.pick(promptOf('wxyt'), [a, b], 1);
  // a: 10 + 4 blocks of prefill, 3 of them cached; active w x y z u v, t, end.
  // b: 2 + 4 blocks of prefill; active only this prompt's 4 and its end.
  assert.deepEqual(scores, [14 - 3 + 6 + 1 + 1, 6 + 5]);
  policy.onFinish?.(promptOf('wxyz'), first, { status: 'completed' }, 2);
  // z has ended; y is this prompt's alone now: w x u v, y t, end.
  assert.deepEqual(policy.pick(promptOf('wxyt'), [a, b], 3).scores, [14 - 3 + 7, 11]);
});

test('dynamo: the last block of a prompt is never credited, as it is always computed', () => {
  const policy = make();
  const a = engine('a');
  send(policy, promptOf('abcd'), a);
  // 4 blocks of prompt, 3 creditable; 4 active and the end of the prompt.
  assert.deepEqual(policy.pick(promptOf('abcd'), [a], 1).scores, [1 + 5]);
});

test('dynamo: a request that outlives its engine’s entry does not change the new counters', () => {
  const policy = make();
  const a = engine('a');
  const old = send(policy, promptOf('abcd'), a);
  policy.onEndpointReset?.(a);
  send(policy, promptOf('abcd'), a);
  policy.onFinish?.(promptOf('abcd'), old, { status: 'failed' }, 1);
  assert.deepEqual(policy.pick(promptOf('abcd'), [a], 1).scores, [1 + 5]);
});

test('dynamo: a request of a synced router is active until it ends, and is identified by name', () => {
  const [policy, other] = [make(), make()];
  const [a, b] = [engine('a'), engine('b')];
  const told = other.pick(promptOf('wxyz'), [a], 0);
  const named = { ...promptOf(''), promptBlockNames: () => told.chain, promptTokens: 256 };
  const adopted = policy.adopt?.(named, a, 0);
  assert.ok(adopted);
  policy.onSent?.(named, adopted, 0);
  // a holds w x y z and is busy with them; b computes 4 blocks.
  assert.deepEqual(policy.pick(promptOf('wxyt'), [a, b], 1).scores, [1 + 4 + 2, 4 + 5]);
  policy.onFinish?.(named, adopted, { status: 'completed' }, 2);
  assert.deepEqual(policy.pick(promptOf('wxyt'), [a, b], 3).scores, [1 + 5, 4 + 5]);
});
