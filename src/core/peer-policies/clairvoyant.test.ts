import assert from 'node:assert/strict';
import { test } from 'node:test';
import { engine, promptOf, send } from '../../../test/support/peer-fleet.ts';
import { seededRandom } from '../base/index.ts';
import { ClairvoyantPolicy, type KnownRequest } from './clairvoyant.ts';
import { promptBlocks } from './prefix-memory.ts';

/** 10 ms a step and 20,000 tokens/s; as much more as `slower` says. */
const engineOf = (slower = 1, kvTokensMax = 1e6) => ({
  cost: { stepSeconds: ({ tokens }: { tokens: number }) => slower * (0.01 + tokens / 20_000) },
  kvTokensMax,
  maxNumBatchedTokens: 8192,
});

function known(letters: string, arrivalSeconds: number, outputTokens = 10): KnownRequest {
  const request = promptOf(letters);
  return {
    ...{ arrivalSeconds, outputTokens, promptTokens: request.promptTokens },
    blocks: promptBlocks(request, 256),
  };
}

const ask = (letters: string, id: number) => promptOf(letters, { id: `${id}` });

test('clairvoyant: a slow engine is recognised before its first response', () => {
  const policy = new ClairvoyantPolicy(seededRandom(1), {
    requests: [known('abcd', 0)],
    engineAt: (url) => engineOf(url === 'slow' ? 3 : 1),
  });
  const pick = policy.pick(ask('abcd', 0), [engine('slow'), engine('fast')], 0);
  assert.equal(pick.endpoint.url, 'fast');
});

test('clairvoyant: an engine is kept free for the request that is warm there', () => {
  const long = 'abcdefghijklmnopqrstuvwxyz'.repeat(8);
  const cold = 'ABCDEFGHIJKLMNOPQRSTUVWXYZ'.repeat(4);
  const scoresWith = (last: KnownRequest[]) => {
    const policy = new ClairvoyantPolicy(seededRandom(1), {
      requests: [known(long, 0), known(cold, 100), ...last],
      engineAt: () => engineOf(),
    });
    const [warm, other] = [engine('warm'), engine('other')];
    const pick = send(policy, ask(long, 0), warm);
    policy.onFirstByte(ask(long, 0), pick as never, 1, 1);
    policy.onFinish(ask(long, 0), pick as never);
    return policy.pick(ask(cold, 1), [warm, other], 100).scores as readonly [number, number];
  };
  const [alone, elsewhere] = scoresWith([]);
  assert.ok(Math.abs(alone - elsewhere) < 1e-9, 'without a future both are as good');
  const [warm, other] = scoresWith([known(`${long}z`, 100.001)]);
  assert.ok(warm > other + 0.2, `${warm} s against ${other} s`);
});

test('clairvoyant: known output lengths show which engine has space in its KV cache', () => {
  const requests = [known('aaaa', 0, 2000), known('bbbb', 0, 50), known('cccc', 1, 50)];
  const policy = new ClairvoyantPolicy(seededRandom(1), {
    requests,
    engineAt: () => engineOf(1, 2400),
  });
  const engines = [engine('long answer'), engine('short answer')] as const;
  for (const i of [0, 1] as const) {
    const request = ask(i === 0 ? 'aaaa' : 'bbbb', i);
    const pick = send(policy, request, engines[i]);
    policy.onFirstByte(request, pick as never, 0.1, 0.1);
  }
  assert.equal(policy.pick(ask('cccc', 2), engines, 1).endpoint.url, 'short answer');
});
