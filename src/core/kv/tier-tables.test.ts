// Tiers by their names in events, and counts over several of them.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { TierTables, tierOf } from './tier-tables.ts';

test('a medium names a tier in upper or lower case; without one it is the GPU', () => {
  assert.deepEqual(['gpu', 'CPU', 'Storage', 'TAPE', undefined].map(tierOf), [
    ...['GPU', 'CPU', 'STORAGE', undefined, 'GPU'],
  ]);
});

test('a prefix may go through the tiers down to the one that is asked for', () => {
  const tables = new TierTables(10);
  const chain = Float64Array.of(101, 102, 103, 104);
  tables.table('GPU').add(101, 0);
  tables.table('CPU').add(102, 0);
  tables.table('STORAGE').add(103, 0);
  tables.table('GPU').add(104, 0);
  const counted = (tier: 'GPU' | 'CPU' | 'STORAGE') =>
    tables.countPrefix(chain, [0, -1], tier, undefined);
  assert.deepEqual([...counted('GPU')], [1, 0]);
  assert.deepEqual([...counted('CPU')], [2, 0]);
  assert.deepEqual([...counted('STORAGE')], [4, 0]);
});

test('each tier has the maximum of its own, and a size', () => {
  const tables = new TierTables(1);
  assert.deepEqual([tables.sizeOf('GPU'), tables.bytes], [0, 0]);
  assert.equal(tables.table('GPU').add(101, 0), true);
  assert.equal(tables.table('GPU').add(102, 0), false);
  assert.equal(tables.table('CPU').add(102, 0), true);
  assert.deepEqual(
    [tables.sizeOf('GPU'), tables.sizeOf('CPU'), tables.sizeOf('STORAGE')],
    [...[1, 1, 0]],
  );
  assert.equal(tables.bytes, tables.table('GPU').bytes + tables.table('CPU').bytes);
});
