import assert from 'node:assert/strict';
import { test } from 'node:test';
import { InputError } from '../base/index.ts';
import {
  defaultEngineConfig,
  type EngineConfig,
  type EngineListener,
  EngineModel,
  type EngineRequest,
} from './index.ts';

const cost = { stepSeconds: () => 1 };

/** An engine with blocks of 4 tokens, and a log of its steps as "id:tokens" in order. */
function engineOf(settings: Partial<EngineConfig> = {}, listener: EngineListener = {}) {
  const config = defaultEngineConfig({
    blockSize: 4,
    numGpuBlocks: 101,
    maxModelLen: 64,
    maxNumBatchedTokens: 16,
    maxNumSeqs: 8,
    ...settings,
  });
  const engine = new EngineModel({ config, cost, listener });
  let now = 0;
  const step = (onToken: (id: string, index: number) => boolean = () => false) => {
    const planned = engine.schedule(now);
    if (planned === undefined) return 'idle';
    now = planned.endSeconds;
    const { scheduledTokens } = planned;
    const line = planned.requests.map(({ id }, i) => `${id}:${scheduledTokens[i]}`).join(' ');
    engine.complete(planned, (request, index) => onToken(request.id, index));
    return line;
  };
  return { engine, step };
}

/** A request whose blocks are keyed by `text`: equal texts share a prefix. */
function request(id: string, settings: Partial<EngineRequest> & { text?: string } = {}) {
  const { text = id, ...rest } = settings;
  return {
    id,
    promptTokens: 8,
    maxTokens: 3,
    priority: 0,
    arrivalSeconds: 0,
    blockKey: (index: number) => `${text}/${index}`,
    ...rest,
  };
}

test('a request computes its prompt, samples with it, and then one token a step', () => {
  const { engine, step } = engineOf();
  engine.add(request('a'), 0);
  assert.deepEqual([step(), step(), step(), step()], ['a:8', 'a:1', 'a:1', 'idle']);
  const { finished, outputTokens, blocksUsed } = engine.stats;
  assert.deepEqual(
    { finished, outputTokens, blocksUsed },
    { finished: 1, outputTokens: 3, blocksUsed: 0 },
  );
});

test('a prompt longer than the budget is computed in chunks, decodes first', () => {
  const { engine, step } = engineOf();
  engine.add(request('a'), 0);
  engine.add(request('b', { promptTokens: 30 }), 0);
  assert.deepEqual([step(), step(), step()], ['a:8 b:8', 'a:1 b:15', 'a:1 b:7']);
});

test('a prompt that can never run is refused in one sentence', () => {
  const { engine } = engineOf();
  assert.throws(() => engine.add(request('a', { promptTokens: 64 }), 0), InputError);
});
