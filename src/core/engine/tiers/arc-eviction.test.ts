// The adaptive policy: chunks used once and chunks used again, and the ghosts that move their border.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ArcEviction } from './arc-eviction.ts';
import { Chunk } from './chunk-list.ts';

function policyOf(chunksMax: number) {
  const arc = new ArcEviction(chunksMax);
  /** Misses and stores chunks, each by itself. */
  const store = (...keys: string[]) => {
    for (const key of keys) {
      arc.missed([key]);
      const chunk = new Chunk(key);
      arc.insert(chunk);
      chunk.readers = 0;
    }
  };
  const reuse = (...keys: string[]) => {
    for (const key of keys) arc.requestEnded([{ key, onlyInserted: false, reused: true }]);
  };
  const evict = (count: number, isProtected = (_: unknown) => false) =>
    arc.evict(count, isProtected)?.map(({ key }) => key);
  return { arc, store, reuse, evict };
}

test('at first chunks used once are evicted, oldest first, and then those used again', () => {
  const { arc, store, reuse, evict } = policyOf(4);
  store('a', 'b', 'c', 'd');
  reuse('a', 'c');
  assert.deepEqual(evict(3), ['b', 'd', 'a']);
  assert.equal(arc.size, 1);
});

test('protected chunks and chunks in transfer are passed over, and too few are not evicted at all', () => {
  const { arc, store, evict } = policyOf(4);
  store('a', 'b', 'c');
  const busy = arc.get('b');
  assert.ok(busy);
  busy.readers = 1;
  assert.equal(
    evict(2, (key) => key === 'a'),
    undefined,
  );
  assert.equal(arc.size, 3);
  assert.deepEqual(
    evict(1, (key) => key === 'a'),
    ['c'],
  );
});

test('missing what was used once and evicted protects chunks used once', () => {
  const { store, reuse, evict } = policyOf(4);
  store('a', 'b', 'c', 'd');
  assert.deepEqual(evict(2), ['a', 'b']);
  // Each miss of a ghost moves the border by one: two chunks used once may stay.
  store('a', 'b');
  reuse('c', 'd');
  assert.deepEqual(evict(1), ['a'], 'two are at the border');
  assert.deepEqual(evict(1), ['c'], 'one is below it');
  // Missing what was used again moves the border back.
  store('c');
  assert.deepEqual(evict(1), ['b']);
  assert.deepEqual(evict(1), ['c']);
});

test('the border moves by the ratio of the ghosts, and counts in whole chunks', () => {
  const { store, reuse, evict } = policyOf(8);
  store('a', 'b', 'c', 'd', 'e', 'f', 'g', 'h');
  reuse('a', 'b', 'c', 'd', 'e');
  // Ghosts: two used once, three used again.
  assert.deepEqual(evict(2), ['f', 'g']);
  assert.deepEqual(evict(4), ['h', 'a', 'b', 'c']);
  // Of three and three: by one. Of three and two, as h is stored: by one and a half.
  store('h');
  store('g');
  // The border is at 2.5: with two chunks used once, those go first.
  assert.deepEqual(evict(1), ['h']);
  assert.deepEqual(evict(1), ['d'], 'with one, not');
});

test('the border stays within the size of the tier', () => {
  const { store, reuse, evict } = policyOf(2);
  for (let i = 0; i < 5; i++) {
    store('a', 'b');
    assert.deepEqual(evict(2), ['a', 'b']);
  }
  store('a', 'b');
  reuse('b');
  store('c');
  assert.deepEqual(evict(1), ['a']);
});

test('a cleared policy has no ghosts and no border', () => {
  const { arc, store, reuse, evict } = policyOf(4);
  store('a', 'b', 'c', 'd');
  evict(2);
  store('a', 'b');
  arc.clear();
  assert.equal(arc.size, 0);
  store('a', 'b', 'c');
  reuse('b', 'c');
  assert.deepEqual(evict(1), ['a']);
});

test('missing one that was used again moves the border back by one, however many were used once', () => {
  const { store, reuse, evict } = policyOf(8);
  store('a', 'b', 'c', 'd', 'e', 'f', 'g', 'h');
  // Four misses of chunks used once move the border to four.
  assert.deepEqual(evict(4), ['a', 'b', 'c', 'd']);
  store('a', 'b', 'c', 'd');
  reuse('e', 'f', 'g', 'h');
  // Four used once are at the border, so one of them goes; with three, the border protects them.
  assert.deepEqual(evict(1), ['a']);
  assert.deepEqual(evict(1), ['e']);
  // The ghosts are one of each kind, so this miss moves the border to three, where three are.
  store('e');
  reuse('e');
  assert.deepEqual(evict(1), ['b']);
  assert.deepEqual(evict(1), ['f'], 'two are below it');
});
