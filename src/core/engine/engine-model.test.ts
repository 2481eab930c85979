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

test('a cached prefix is not computed again, but the last block of a whole prompt is', () => {
  const cached: Record<string, number> = {};
  const { engine, step } = engineOf(
    {},
    { admitted: ({ id }, tokens) => Object.assign(cached, { [id]: tokens }) },
  );
  engine.add(request('a', { text: 'x', maxTokens: 1 }), 0);
  step();
  engine.add(request('same', { text: 'x', maxTokens: 1 }), 0);
  engine.add(request('longer', { text: 'x', promptTokens: 9, maxTokens: 1 }), 0);
  assert.equal(step(), 'same:4 longer:1');
  assert.deepEqual(cached, { a: 0, same: 4, longer: 8 });
  const { prefixCacheQueries, prefixCacheHits } = engine.stats;
  assert.deepEqual([prefixCacheQueries, prefixCacheHits], [8 + 8 + 9, 4 + 8]);
});

test('blocks are findable as soon as they are scheduled, in the same step', () => {
  const { engine, step } = engineOf();
  engine.add(request('a', { text: 'x', promptTokens: 9 }), 0);
  engine.add(request('b', { text: 'x', promptTokens: 9 }), 0);
  assert.equal(step(), 'a:9 b:1');
});

test('without prefix caching nothing is found and nothing is stored', () => {
  let stored = 0;
  const { engine, step } = engineOf(
    { enablePrefixCaching: false },
    { blocksStored: () => stored++ },
  );
  engine.add(request('a', { text: 'x', maxTokens: 1 }), 0);
  step();
  engine.add(request('b', { text: 'x', maxTokens: 1 }), 0);
  assert.deepEqual([step(), stored, engine.stats.prefixCacheQueries], ['b:8', 0, 0]);
});

test('the head of the line holds back a smaller request behind it', () => {
  const { engine, step } = engineOf({ numGpuBlocks: 17, maxModelLen: 64, maxNumBatchedTokens: 64 });
  engine.add(request('a', { promptTokens: 40 }), 0);
  engine.add(request('big', { promptTokens: 30 }), 0);
  engine.add(request('small', { promptTokens: 4 }), 0);
  assert.deepEqual([step(), step(), step()], ['a:40', 'a:1', 'a:1']);
  assert.equal(step(), 'big:30 small:4');
});

test('a request is admitted only if its whole prompt fits, unless told otherwise', () => {
  const first = (schedulerReserveFullIsl: boolean) => {
    const { engine, step } = engineOf({ numGpuBlocks: 17, schedulerReserveFullIsl });
    engine.add(request('a', { promptTokens: 40, maxTokens: 9 }), 0);
    for (let i = 0; i < 3; i++) step();
    engine.add(request('b', { promptTokens: 40 }), 0);
    return step();
  };
  assert.deepEqual([first(true), first(false)], ['a:1', 'a:1 b:15']);
});

test('out of blocks, the youngest is preempted, and comes back first with its output kept', () => {
  const preempted: string[] = [];
  const { engine, step } = engineOf(
    { numGpuBlocks: 5, maxModelLen: 16, enablePrefixCaching: false },
    { preempted: ({ id }) => preempted.push(id) },
  );
  engine.add(request('a', { promptTokens: 7, maxTokens: 6 }), 0);
  engine.add(request('b', { promptTokens: 7, maxTokens: 6 }), 0);
  engine.add(request('c', { promptTokens: 7, maxTokens: 6 }), 0);
  const lines = Array.from({ length: 9 }, () => step());
  assert.deepEqual(lines.slice(0, 4), ['a:7 b:7', 'a:1 b:1', 'a:1', 'a:1']);
  // b had sampled two tokens: it computes them again with its prompt, and c still waits.
  assert.deepEqual(lines.slice(4), ['a:1', 'a:1', 'b:9', 'b:1', 'b:1']);
  assert.deepEqual(preempted, ['b']);
});

test('under the priority policy the least urgent waits longest and is preempted first', () => {
  const preempted: string[] = [];
  const { engine, step } = engineOf(
    {
      schedulingPolicy: 'priority',
      numGpuBlocks: 5,
      maxModelLen: 16,
      enablePrefixCaching: false,
    },
    { preempted: ({ id }) => preempted.push(id) },
  );
  engine.add(request('low', { promptTokens: 7, maxTokens: 4, priority: 2 }), 0);
  engine.add(request('late', { promptTokens: 7, maxTokens: 4, priority: 1, arrivalSeconds: 2 }), 0);
  engine.add(request('early', { promptTokens: 7, maxTokens: 4, priority: 1 }), 0);
  assert.equal(step(), 'early:7 late:7');
  step();
  // Both need a third block; "late" is as urgent but arrived later.
  assert.equal(step(), 'early:1');
  assert.deepEqual(preempted, ['late']);
});

test('a preempted request that was planned before its preemptor is taken out again', () => {
  const { engine, step } = engineOf({
    schedulingPolicy: 'priority',
    numGpuBlocks: 6,
    maxModelLen: 16,
    enablePrefixCaching: false,
  });
  engine.add(request('low', { promptTokens: 5, maxTokens: 9, priority: 2 }), 0);
  step();
  engine.add(request('high', { promptTokens: 7, maxTokens: 9, priority: 0 }), 0);
  engine.add(request('mid', { promptTokens: 1, maxTokens: 9, priority: 1 }), 0);
  assert.deepEqual([step(), step()], ['low:1 high:7 mid:1', 'low:1 high:1 mid:1']);
  assert.equal(step(), 'high:1 mid:1');
  assert.equal(engine.stats.preemptions, 1);
});

test('a request that has to preempt itself does not stop those behind it', () => {
  const { engine, step } = engineOf({
    schedulingPolicy: 'priority',
    numGpuBlocks: 5,
    maxModelLen: 16,
    enablePrefixCaching: false,
  });
  engine.add(request('low', { promptTokens: 6, maxTokens: 9, priority: 2 }), 0);
  step();
  engine.add(request('high', { promptTokens: 7, maxTokens: 9, priority: 1 }), 0);
  assert.deepEqual([step(), step(), step()], ['low:1 high:7', 'low:1 high:1', 'high:1']);
  assert.equal(engine.stats.preemptions, 1);
});

test('a long prompt is cut to the threshold, unless it is alone', () => {
  const { engine, step } = engineOf({ longPrefillTokenThreshold: 6 });
  engine.add(request('a', { promptTokens: 20, maxTokens: 2 }), 0);
  assert.equal(step(), 'a:16');
  engine.add(request('b', { promptTokens: 20 }), 0);
  assert.deepEqual([step(), step()], ['a:4 b:6', 'a:1 b:6']);
});

test('without chunked prefill a prompt waits for a step with room for all of it', () => {
  const { engine, step } = engineOf({
    enableChunkedPrefill: false,
    maxModelLen: 16,
    maxNumBatchedTokens: 16,
  });
  engine.add(request('a', { promptTokens: 10, maxTokens: 2 }), 0);
  engine.add(request('b', { promptTokens: 10 }), 0);
  assert.deepEqual([step(), step()], ['a:10', 'a:1 b:10']);
});

test('the batch is capped by max_num_active_seqs, and admission leaves the watermark free', () => {
  const capped = engineOf({ maxNumActiveSeqs: 1 });
  const marked = engineOf({ numGpuBlocks: 21, maxModelLen: 64, watermark: 0.5 });
  for (const { engine } of [capped, marked]) {
    engine.add(request('a', { promptTokens: 40, maxTokens: 2 }), 0);
    engine.add(request('b', { promptTokens: 4 }), 0);
  }
  const lines = (step: () => string) => [step(), step(), step(), step()];
  assert.deepEqual(lines(capped.step), ['a:16', 'a:16', 'a:8', 'a:1']);
  assert.deepEqual(lines(marked.step), ['a:16', 'a:16', 'a:8', 'a:1']);
});

test('an aborted request frees its blocks at once, even with its step in flight', () => {
  const finished: string[] = [];
  const { engine } = engineOf(
    {},
    { finished: ({ id }, reason) => finished.push(`${id} ${reason}`) },
  );
  engine.add(request('a'), 0);
  engine.add(request('b'), 0);
  const planned = engine.schedule(0);
  assert.ok(planned);
  assert.equal(engine.abort('a'), true);
  assert.equal(engine.stats.blocksUsed, 2);
  const sampled: string[] = [];
  engine.complete(planned, ({ id }) => sampled.push(id) > 1);
  assert.deepEqual([sampled, finished, engine.abort('a')], [['b'], ['a abort'], false]);
  engine.audit();
});

test('a request ends early when the callback says so, or at the length of the model', () => {
  const finished: string[] = [];
  const { engine, step } = engineOf(
    { maxModelLen: 16 },
    { finished: ({ id }, reason) => finished.push(`${id} ${reason}`) },
  );
  engine.add(request('stops', { maxTokens: 9 }), 0);
  engine.add(request('full', { promptTokens: 12, maxTokens: 99 }), 0);
  while (step((id, index) => id === 'stops' && index === 1) !== 'idle');
  assert.deepEqual(finished, ['stops stop', 'full length']);
  assert.equal(engine.stats.outputTokens, 2 + 4);
});

test('a request whose adapter has no place in the step lets those behind it pass, and keeps its own', () => {
  const { engine, step } = engineOf({ maxLoras: 1 });
  const add = (id: string, adapterId?: number) =>
    engine.add(request(id, { adapterId, promptTokens: 2 }), 0);
  add('a1', 1);
  add('b1', 2);
  add('a2', 1);
  add('plain');
  add('b2', 2);
  assert.equal(step(), 'a1:2 a2:2 plain:2');
  assert.deepEqual([engine.stats.waiting, engine.stats.deferred], [2, 2]);
  engine.audit();
  engine.abort('a1');
  engine.abort('b2');
  assert.equal(step(), 'a2:1 plain:1');
  engine.abort('a2');
  assert.equal(step(), 'plain:1 b1:2');
  assert.equal(engine.stats.deferred, 0);
});

test('paused for new requests it finishes what runs; paused for all it stands still', () => {
  const { engine, step } = engineOf();
  engine.add(request('a', { maxTokens: 3 }), 0);
  step();
  engine.pause('new');
  engine.add(request('b'), 0);
  assert.equal(step(), 'a:1');
  engine.pause('all');
  assert.equal(step(), 'idle');
  engine.resume();
  assert.equal(step(), 'a:1 b:8');
});

test('the prefix cache is reset only when nothing runs, or by preempting what does', () => {
  const { engine, step } = engineOf();
  engine.add(request('a', { text: 'x', promptTokens: 9 }), 0);
  step();
  assert.equal(engine.resetPrefixCache(), false);
  assert.equal(engine.resetPrefixCache({ resetRunningRequests: true }), true);
  // Its prompt and first token are computed anew, all of them.
  assert.equal(step(), 'a:10');
});

test('settings that cannot work are refused in one sentence', () => {
  assert.throws(() => engineOf({ numGpuBlocks: 10 }), /does not fit in the KV cache of 36 tokens/);
  assert.throws(() => engineOf({ enableChunkedPrefill: false }), /Without chunked prefill/);
  assert.throws(() => engineOf({ maxNumSeqs: 0 }), /maxNumSeqs is 0/);
  assert.throws(() => engineOf({ maxNumActiveSeqs: 9 }), /above maxNumSeqs/);
  assert.throws(() => engineOf({ watermark: 1 }), /watermark is 1/);
});
