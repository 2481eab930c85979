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
function engineOf(
  settings: Partial<EngineConfig> = {},
  listener: EngineListener = {},
  countsEvicted = false,
) {
  const config = defaultEngineConfig({
    blockSize: 4,
    numGpuBlocks: 101,
    maxModelLen: 64,
    maxNumBatchedTokens: 16,
    maxNumSeqs: 8,
    ...settings,
  });
  const engine = new EngineModel({ config, cost, listener, countsEvicted });
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

/** Returns a request whose blocks are keyed by `text`: equal texts share a prefix. */
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

test('reports steps, tokens and cache usage without the null block', () => {
  const { engine, step } = engineOf({ numGpuBlocks: 9, maxModelLen: 32 });
  const { kvUsage, steps } = engine.stats;
  assert.deepEqual([kvUsage, steps], [0, 0]);
  engine.add(request('a', { promptTokens: 8, maxTokens: 2 }));
  engine.add(request('b', { promptTokens: 8, maxTokens: 9 }));
  step();
  const stats = engine.stats;
  assert.equal(stats.kvUsage, stats.blocksUsed / 8);
  assert.deepEqual(
    [stats.steps, stats.scheduledTokens, stats.outputTokens, stats.running, stats.waiting],
    [1, 16, 2, 2, 0],
  );
  step();
  engine.abort('b');
  const ended = engine.stats;
  assert.deepEqual(
    [ended.steps, ended.scheduledTokens, ended.outputTokens, ended.finished, ended.aborted],
    [2, 18, 4, 1, 1],
  );
  assert.equal(ended.kvUsage, 0);
});

test('a request computes its prompt with its first token, then one token per step', () => {
  const { engine, step } = engineOf();
  engine.add(request('a'));
  assert.deepEqual([step(), step(), step(), step()], ['a:8', 'a:1', 'a:1', 'idle']);
  const { finished, outputTokens, blocksUsed } = engine.stats;
  assert.deepEqual(
    { finished, outputTokens, blocksUsed },
    { finished: 1, outputTokens: 3, blocksUsed: 0 },
  );
});

test('computes a prompt longer than the budget in chunks, after the decodes', () => {
  const { engine, step } = engineOf();
  engine.add(request('a'));
  engine.add(request('b', { promptTokens: 30 }));
  assert.deepEqual([step(), step(), step()], ['a:8 b:8', 'a:1 b:15', 'a:1 b:7']);
});

test('refuses a prompt that can never run in one sentence', () => {
  const { engine } = engineOf();
  assert.throws(() => engine.add(request('a', { promptTokens: 64 })), InputError);
});

test('does not recompute a cached prefix, except the last block of a fully cached prompt', () => {
  const cached: Record<string, number> = {};
  const { engine, step } = engineOf(
    {},
    { admitted: ({ id }, tokens) => Object.assign(cached, { [id]: tokens }) },
  );
  engine.add(request('a', { text: 'x', maxTokens: 1 }));
  step();
  engine.add(request('same', { text: 'x', maxTokens: 1 }));
  engine.add(request('longer', { text: 'x', promptTokens: 9, maxTokens: 1 }));
  assert.equal(step(), 'same:4 longer:1');
  assert.deepEqual(cached, { a: 0, same: 4, longer: 8 });
  const { prefixCacheQueries, prefixCacheHits } = engine.stats;
  assert.deepEqual([prefixCacheQueries, prefixCacheHits], [8 + 8 + 9, 4 + 8]);
});

test('blocks can be found as soon as they are scheduled, in the same step', () => {
  const { engine, step } = engineOf();
  engine.add(request('a', { text: 'x', promptTokens: 9 }));
  engine.add(request('b', { text: 'x', promptTokens: 9 }));
  assert.equal(step(), 'a:9 b:1');
});

test('without prefix caching nothing is found and nothing is stored', () => {
  let stored = 0;
  const { engine, step } = engineOf(
    { enablePrefixCaching: false },
    { blocksStored: () => stored++ },
  );
  engine.add(request('a', { text: 'x', maxTokens: 1 }));
  step();
  engine.add(request('b', { text: 'x', maxTokens: 1 }));
  assert.deepEqual([step(), stored, engine.stats.prefixCacheQueries], ['b:8', 0, 0]);
});

test('the first waiting request blocks a smaller one behind it', () => {
  const { engine, step } = engineOf({ numGpuBlocks: 17, maxModelLen: 64, maxNumBatchedTokens: 64 });
  engine.add(request('a', { promptTokens: 40 }));
  engine.add(request('big', { promptTokens: 30 }));
  engine.add(request('small', { promptTokens: 4 }));
  assert.deepEqual([step(), step(), step()], ['a:40', 'a:1', 'a:1']);
  assert.equal(step(), 'big:30 small:4');
});

test('by default admits a request only if its whole prompt fits', () => {
  const first = (schedulerReserveFullIsl: boolean) => {
    const { engine, step } = engineOf({ numGpuBlocks: 17, schedulerReserveFullIsl });
    engine.add(request('a', { promptTokens: 40, maxTokens: 9 }));
    for (let i = 0; i < 3; i++) step();
    engine.add(request('b', { promptTokens: 40 }));
    return step();
  };
  assert.deepEqual([first(true), first(false)], ['a:1', 'a:1 b:15']);
});

test('without free blocks preempts the youngest request, and resumes it first with its output', () => {
  const preempted: string[] = [];
  const { engine, step } = engineOf(
    { numGpuBlocks: 5, maxModelLen: 16, enablePrefixCaching: false },
    { preempted: ({ id }) => preempted.push(id) },
  );
  engine.add(request('a', { promptTokens: 7, maxTokens: 6 }));
  engine.add(request('b', { promptTokens: 7, maxTokens: 6 }));
  engine.add(request('c', { promptTokens: 7, maxTokens: 6 }));
  const lines = Array.from({ length: 9 }, () => step());
  assert.deepEqual(lines.slice(0, 4), ['a:7 b:7', 'a:1 b:1', 'a:1', 'a:1']);
  // b had sampled two tokens: it computes them again with its prompt, while c still waits.
  assert.deepEqual(lines.slice(4), ['a:1', 'a:1', 'b:9', 'b:1', 'b:1']);
  assert.deepEqual(preempted, ['b']);
});

test('counts tokens that are computed again after a preemption and after an eviction, and no others', () => {
  const counts = ({ engine }: ReturnType<typeof engineOf>) => {
    const { recomputedAfterPreemption, recomputedAfterEviction } = engine.stats;
    return [recomputedAfterPreemption, recomputedAfterEviction];
  };
  // Room for 12 of 16 tokens: b gives up its prompt and its output, and its blocks go to a.
  const crowded = engineOf({ numGpuBlocks: 5, maxModelLen: 16, watermark: 0 });
  crowded.engine.add(request('a', { maxTokens: 8 }));
  crowded.engine.add(request('b', { maxTokens: 2 }));
  while (crowded.step() !== 'idle');
  assert.equal(crowded.engine.stats.preemptions, 1);
  assert.deepEqual(counts(crowded), [8, undefined]);
  const evicting = engineOf({ numGpuBlocks: 5, maxModelLen: 16 }, {}, true);
  const play = (text: string, id: string) => {
    evicting.engine.add(request(id, { text, promptTokens: 12, maxTokens: 1 }));
    while (evicting.step() !== 'idle');
  };
  play('a', '1');
  play('a', '2');
  assert.deepEqual(counts(evicting), [0, 0], 'found, or the last block, which is computed anyway');
  play('b', '3');
  assert.deepEqual(counts(evicting), [0, 0], 'another prompt is new');
  play('a', '4');
  assert.deepEqual(counts(evicting), [0, 8], 'its first block was still there');
});

test('with the priority policy the least urgent request waits longest and is preempted first', () => {
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
  engine.add(request('low', { promptTokens: 7, maxTokens: 4, priority: 2 }));
  engine.add(request('late', { promptTokens: 7, maxTokens: 4, priority: 1, arrivalSeconds: 2 }));
  engine.add(request('early', { promptTokens: 7, maxTokens: 4, priority: 1 }));
  assert.equal(step(), 'early:7 late:7');
  step();
  // Both need a third block; "late" is equally urgent but arrived later.
  assert.equal(step(), 'early:1');
  assert.deepEqual(preempted, ['late']);
});

test('removes a preempted request from the plan if it was planned before its preemptor', () => {
  const { engine, step } = engineOf({
    schedulingPolicy: 'priority',
    numGpuBlocks: 6,
    maxModelLen: 16,
    enablePrefixCaching: false,
  });
  engine.add(request('low', { promptTokens: 5, maxTokens: 9, priority: 2 }));
  step();
  engine.add(request('high', { promptTokens: 7, maxTokens: 9, priority: 0 }));
  engine.add(request('mid', { promptTokens: 1, maxTokens: 9, priority: 1 }));
  assert.deepEqual([step(), step()], ['low:1 high:7 mid:1', 'low:1 high:1 mid:1']);
  assert.equal(step(), 'high:1 mid:1');
  assert.equal(engine.stats.preemptions, 1);
});

test('a request that preempts itself does not stop those behind it', () => {
  const { engine, step } = engineOf({
    schedulingPolicy: 'priority',
    numGpuBlocks: 5,
    maxModelLen: 16,
    enablePrefixCaching: false,
  });
  engine.add(request('low', { promptTokens: 6, maxTokens: 9, priority: 2 }));
  step();
  engine.add(request('high', { promptTokens: 7, maxTokens: 9, priority: 1 }));
  assert.deepEqual([step(), step(), step()], ['low:1 high:7', 'low:1 high:1', 'high:1']);
  assert.equal(engine.stats.preemptions, 1);
});

test('limits a long prompt to the threshold, unless it is alone', () => {
  const { engine, step } = engineOf({ longPrefillTokenThreshold: 6 });
  engine.add(request('a', { promptTokens: 20, maxTokens: 2 }));
  assert.equal(step(), 'a:16');
  engine.add(request('b', { promptTokens: 20 }));
  assert.deepEqual([step(), step()], ['a:4 b:6', 'a:1 b:6']);
});

test('without chunked prefill a prompt waits for a step with space for all of it', () => {
  const { engine, step } = engineOf({
    enableChunkedPrefill: false,
    maxModelLen: 16,
    maxNumBatchedTokens: 16,
  });
  engine.add(request('a', { promptTokens: 10, maxTokens: 2 }));
  engine.add(request('b', { promptTokens: 10 }));
  assert.deepEqual([step(), step()], ['a:10', 'a:1 b:10']);
  engine.add(request('fills the step', { promptTokens: 15, maxTokens: 1 }));
  assert.equal(step(), 'b:1 fills the step:15');
});

test('the batch is capped by max_num_active_seqs, and admission leaves the watermark free', () => {
  const capped = engineOf({ maxNumActiveSeqs: 1 });
  const marked = engineOf({ numGpuBlocks: 21, maxModelLen: 64, watermark: 0.5 });
  for (const { engine } of [capped, marked]) {
    engine.add(request('a', { promptTokens: 40, maxTokens: 2 }));
    engine.add(request('b', { promptTokens: 4 }));
  }
  const lines = (step: () => string) => [step(), step(), step(), step()];
  assert.deepEqual(lines(capped.step), ['a:16', 'a:16', 'a:8', 'a:1']);
  assert.deepEqual(lines(marked.step), ['a:16', 'a:16', 'a:8', 'a:1']);
});

test('an aborted request frees its blocks at once, even during its step', () => {
  const finished: string[] = [];
  const { engine } = engineOf(
    {},
    { finished: ({ id }, reason) => finished.push(`${id} ${reason}`) },
  );
  engine.add(request('a'));
  engine.add(request('b'));
  const planned = engine.schedule(0);
  assert.ok(planned);
  assert.equal(engine.abort('a'), true);
  assert.equal(engine.stats.blocksUsed, 2);
  const sampled: string[] = [];
  engine.complete(planned, ({ id }) => sampled.push(id) > 1);
  assert.deepEqual([sampled, finished, engine.abort('a')], [['b'], ['a abort'], false]);
  engine.audit();
});

test('a request ends early if the callback returns true, or at the model’s maximum length', () => {
  const finished: string[] = [];
  const { engine, step } = engineOf(
    { maxModelLen: 16 },
    { finished: ({ id }, reason) => finished.push(`${id} ${reason}`) },
  );
  engine.add(request('stops', { maxTokens: 9 }));
  engine.add(request('full', { promptTokens: 12, maxTokens: 99 }));
  while (step((id, index) => id === 'stops' && index === 1) !== 'idle');
  assert.deepEqual(finished, ['stops stop', 'full length']);
  assert.equal(engine.stats.outputTokens, 2 + 4);
});

test('a request whose adapter does not fit into the step is skipped and keeps its position', () => {
  const { engine, step } = engineOf({ maxLoras: 1 });
  const add = (id: string, adapterId?: number) =>
    engine.add(request(id, { adapterId, promptTokens: 2 }));
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

test('finishes running requests when paused for new ones, and plans nothing when paused for all', () => {
  const { engine, step } = engineOf();
  engine.add(request('a', { maxTokens: 3 }));
  step();
  engine.pause('new');
  engine.add(request('b'));
  assert.equal(step(), 'a:1');
  engine.pause('all');
  assert.equal(step(), 'idle');
  engine.resume();
  assert.equal(step(), 'a:1 b:8');
});

test('resets the prefix cache only when nothing runs, or by preempting what runs', () => {
  const { engine, step } = engineOf();
  engine.add(request('a', { text: 'x', promptTokens: 9 }));
  step();
  assert.equal(engine.resetPrefixCache(), false);
  assert.equal(engine.resetPrefixCache({ resetRunningRequests: true }), true);
  // All tokens of its prompt and its first token are recomputed.
  assert.equal(step(), 'a:10');
});

test('refuses impossible settings in one sentence', () => {
  assert.throws(() => engineOf({ numGpuBlocks: 10 }), /does not fit in the KV cache of 36 tokens/);
  assert.throws(() => engineOf({ enableChunkedPrefill: false }), /Without chunked prefill/);
  assert.throws(() => engineOf({ maxNumSeqs: 0 }), /maxNumSeqs is 0/);
  assert.throws(() => engineOf({ maxNumActiveSeqs: 9 }), /above maxNumSeqs/);
  assert.throws(() => engineOf({ watermark: 1 }), /watermark is 1/);
});

test('a request needs at least one prompt token, one output token and an id of its own', () => {
  const { engine, step } = engineOf();
  const refuses = (settings: Partial<EngineRequest>, why: RegExp) =>
    assert.throws(() => engine.add(request('a', settings)), why);
  for (const promptTokens of [0, -1, 1.5, Number.NaN]) {
    refuses({ promptTokens }, /prompt tokens; it needs at least 1/);
  }
  for (const maxTokens of [0, Number.NaN]) refuses({ maxTokens }, /must be at least 1/);
  refuses({ promptTokens: 64 }, /leaves no space for output/);
  engine.add(request('a', { promptTokens: 1, maxTokens: 1 }));
  refuses({}, /"a" is already in use/);
  assert.equal(step(), 'a:1');
  engine.add(request('a', { promptTokens: 63, maxTokens: 1 }));
  assert.equal(engine.stats.waiting, 1);
});

test('steps alternate with their completion', () => {
  const { engine } = engineOf();
  engine.add(request('a'));
  const step = engine.schedule(0);
  assert.ok(step);
  assert.throws(() => engine.schedule(1), /previous step is not complete/);
  const never = () => false;
  engine.complete(step, never);
  assert.throws(() => engine.complete(step, never), /not in flight/);
});

/** Runs of the decode steps of one request of 5 tokens, as [steps, index of the last token]. */
function runsOf(maxTokens: number, settings: Partial<EngineConfig> = {}, other = false) {
  const { engine } = engineOf(settings);
  engine.add(request('a', { promptTokens: 5, maxTokens }));
  if (other) engine.add(request('b', { promptTokens: 5, maxTokens }));
  const runs: number[][] = [];
  let now = 0;
  for (let step = engine.scheduleRun(now); step; step = engine.scheduleRun(now)) {
    const { endsSeconds } = step;
    now = step.endSeconds;
    engine.complete(step, ({ id }, index) => {
      if (id === 'a') runs.push([endsSeconds.length, index]);
      return false;
    });
    engine.audit();
  }
  const { steps, outputTokens, scheduledTokens } = engine.stats;
  return { runs, steps, outputTokens, scheduledTokens };
}

test('a run of decode steps ends where a block is full, or with the request', () => {
  // The prompt ends in the second block of 4 tokens, whose last two slots the first run fills.
  const { runs, ...counts } = runsOf(9);
  assert.deepEqual(runs, [
    [1, 0],
    [3, 3],
    [4, 7],
    [1, 8],
  ]);
  assert.deepEqual(counts, { steps: 9, outputTokens: 9, scheduledTokens: 5 + 8 });
  assert.deepEqual(runsOf(3).runs, [
    [1, 0],
    [2, 2],
  ]);
  // 7 tokens are all that the model takes.
  const short = runsOf(9, { maxModelLen: 7 }).runs;
  assert.deepEqual(short, [
    [1, 0],
    [1, 1],
  ]);
});

test('while a request waits there are no runs', () => {
  const { runs } = runsOf(3, { maxNumSeqs: 1 }, true);
  assert.deepEqual(runs, [
    [1, 0],
    [1, 1],
    [1, 2],
  ]);
});

test('a run is cut at the step that computes at a given time', () => {
  const { engine } = engineOf();
  engine.add(request('a', { promptTokens: 5, maxTokens: 9 }));
  const first = engine.scheduleRun(0);
  assert.ok(first);
  engine.complete(first, () => false);
  const run = engine.scheduleRun(1);
  assert.deepEqual(run?.endsSeconds, [2, 3, 4]);
  engine.cutRun(3);
  assert.deepEqual(run?.endsSeconds, [2, 3]);
  engine.cutRun(0);
  assert.deepEqual(run?.endsSeconds, [2]);
});

test('several requests that are skipped keep their order', () => {
  const { engine, step } = engineOf({ maxLoras: 1 });
  for (const [id, adapterId] of [
    ['a', 1],
    ['b', 2],
    ['c', 3],
    ['d', 2],
  ] as const) {
    engine.add(request(id, { adapterId, promptTokens: 2 }));
  }
  assert.equal(step(), 'a:2');
  engine.abort('a');
  assert.equal(step(), 'b:2 d:2');
  engine.abort('b');
  engine.abort('d');
  assert.equal(step(), 'c:2');
});

test('a request that reports its hits announces the blocks that it found, at each lookup', () => {
  const found: string[] = [];
  const { engine, step } = engineOf(
    { maxNumSeqs: 1 },
    { blocksFound: ({ id }, blocks) => found.push(`${id} ${blocks}`) },
  );
  engine.add(request('a', { text: 'x', promptTokens: 12, maxTokens: 1 }));
  step();
  engine.add(request('quiet', { text: 'x', promptTokens: 9, maxTokens: 1 }));
  engine.add(request('new', { promptTokens: 9, maxTokens: 1, reportsHits: true }));
  engine.add(request('reporting', { text: 'x', promptTokens: 9, maxTokens: 1, reportsHits: true }));
  while (step() !== 'idle');
  assert.deepEqual(found, ['reporting 2']);
});

test('without tiers a reset of them succeeds, and with requests none does', () => {
  const { engine, step } = engineOf();
  assert.equal(engine.resetPrefixCache({ resetConnector: true }), true);
  assert.equal(engine.wakeSeconds, Number.POSITIVE_INFINITY);
  engine.add(request('a'));
  step();
  assert.equal(engine.resetPrefixCache({ resetConnector: true }), false);
});

test('an audit notices a request that has ended and is still in the batch', () => {
  let message = '';
  const audit = () => {
    try {
      engine.audit();
    } catch (error) {
      message = (error as Error).message;
    }
  };
  // In the middle of a step, a request is no longer known before the batch drops it.
  const { engine, step } = engineOf({}, { finished: audit });
  engine.add(request('a', { maxTokens: 1 }));
  step();
  assert.equal(message, 'a request is neither running nor waiting');
  engine.audit();
});
