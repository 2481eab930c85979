// What the audit of a scheduler notices.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { CacheLookups } from './cache-lookups.ts';
import { defaultEngineConfig } from './config.ts';
import { KvCache } from './kv-cache.ts';
import { Scheduler } from './scheduler.ts';
import { Sequence } from './sequence.ts';

/** A scheduler for two requests at a time, with two in its queue. */
function schedulerOf() {
  const limits = { blockSize: 4, numGpuBlocks: 9, maxModelLen: 32, maxNumSeqs: 2 };
  const config = { ...defaultEngineConfig(limits) };
  const kv = new KvCache(config, {});
  const lookups = new CacheLookups(config, {}, false);
  const scheduler = new Scheduler({ config, kv, listener: {}, lookups, connector: undefined });
  const sequences = ['a', 'b'].map((id) => new Sequence(requestOf(id)));
  for (const sequence of sequences) scheduler.add(sequence);
  return { config, kv, scheduler, sequences };
}

function requestOf(id: string) {
  const blockKey = (index: number) => `${id}/${index}`;
  return { id, promptTokens: 8, maxTokens: 4, priority: 0, arrivalSeconds: 0, blockKey };
}

test('an audit passes while requests wait and while they run', () => {
  const { scheduler } = schedulerOf();
  scheduler.audit();
  scheduler.plan(0, { admitsNew: true });
  assert.equal(scheduler.stats.running, 2);
  scheduler.audit();
});

test('an audit notices a waiting request that holds blocks', () => {
  const { kv, scheduler, sequences } = schedulerOf();
  kv.pool.allocateTo(sequences[1]?.blocks ?? assert.fail(), 1);
  assert.throws(() => scheduler.audit(), /^Error: b waits with blocks$/);
});

test('an audit notices a batch above its limit', () => {
  const { config, scheduler } = schedulerOf();
  scheduler.plan(0, { admitsNew: true });
  config.maxNumActiveSeqs = 1;
  assert.throws(() => scheduler.audit(), /^Error: batch too large$/);
});

test('an audit notices a block that nobody holds any more', () => {
  const { scheduler, sequences } = schedulerOf();
  scheduler.plan(0, { admitsNew: true });
  sequences[0]?.blocks.pop();
  assert.throws(() => scheduler.audit(), /too few blocks|references/);
});
