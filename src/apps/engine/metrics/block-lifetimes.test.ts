import assert from 'node:assert/strict';
import { test } from 'node:test';
import { seededRandom } from '../../../core/base/index.ts';
import { BlockPool } from '../../../core/kv/index.ts';
import { type BlockLifetime, BlockLifetimes } from './block-lifetimes.ts';

function follow(sampleRate: number) {
  const ends: BlockLifetime[] = [];
  const clock = { now: 0 };
  const observer = new BlockLifetimes({
    ...{ sampleRate, random: seededRandom(1), nowSeconds: () => clock.now },
    onEnd: (lifetime) => ends.push(lifetime),
  });
  return { ends, clock, pool: new BlockPool({ blocksTotal: 2, observer }) };
}

test('a block lives from its allocation to its eviction, and is idle since its last hit', () => {
  const { ends, clock, pool } = follow(1);
  const block = pool.allocate();
  pool.cache(block, 'a');
  pool.release([block]);
  for (const at of [3, 4, 7]) {
    clock.now = at;
    pool.acquire(block);
    pool.release([block]);
  }
  clock.now = 10;
  pool.allocate();
  assert.deepEqual(ends, [{ lifetimeSeconds: 10, idleSeconds: 3, reuseGapsSeconds: [1, 3] }]);
});

test('with a sample of one in ten, some blocks are followed and most are not', () => {
  const { ends, pool } = follow(0.1);
  for (let i = 0; i < 1000; i++) pool.release([pool.allocate()]);
  assert.ok(ends.length > 50 && ends.length < 200, `${ends.length}`);
});

test('a reset forgets the blocks that were followed', () => {
  const { ends, pool } = follow(1);
  pool.release([pool.allocate()]);
  assert.ok(pool.reset());
  pool.allocate();
  assert.deepEqual(ends, []);
});
