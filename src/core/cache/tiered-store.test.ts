import assert from 'node:assert/strict';
import { test } from 'node:test';
import { crc32 } from 'node:zlib';
import { ManualClock } from '../base/index.ts';
import type { LowerTier, ReserveSpans, ValueSource } from './lower-tier.ts';
import { MemoryStore } from './memory-store.ts';
import { pageBytes } from './page-memory.ts';
import type { Checksum } from './pages-writer.ts';
import { ScanOrder } from './scan-order.ts';
import { TieredStore } from './tiered-store.ts';

/** A tier that keeps everything, and reads when it is told to. */
class ScriptedTier implements LowerTier {
  readonly values = new Map<string, ValueSource & { bytes: Buffer; serial: number }>();
  readonly held: string[] = [];
  readonly corrupted: string[] = [];
  readonly #order = new ScanOrder();
  #reads: (() => void)[] = [];

  find(key: string) {
    return this.values.get(key);
  }
  hold({ key }: { readonly key: string }) {
    this.held.push(key);
  }
  keep(source: ValueSource) {
    const bytes = Buffer.concat(source.spans);
    source.release();
    this.values.set(source.key, { ...source, bytes, serial: this.#order.add(source.key) });
  }
  async read({ key }: { readonly key: string }, reserve: ReserveSpans) {
    const { bytes } = this.values.get(key) ?? assert.fail();
    await new Promise<void>((resolve) => this.#reads.push(resolve));
    const spans = reserve();
    let at = 0;
    for (const span of spans ?? []) {
      span.set(bytes.subarray(at, at + span.length));
      at += span.length;
    }
    return spans !== undefined;
  }
  corrupt({ key }: { readonly key: string }) {
    this.corrupted.push(key);
    this.delete(key);
  }
  delete(key: string) {
    this.#order.remove(this.values.get(key)?.serial ?? 0);
    return this.values.delete(key);
  }
  clear() {
    for (const key of [...this.values.keys()]) this.delete(key);
  }
  scan(cursor: number, count: number) {
    return this.#order.step(cursor, count);
  }
  get entries() {
    return this.values.size;
  }
  keys() {
    return this.values.keys();
  }
  /** Lets all reads that wait go on. */
  goOn() {
    for (const read of this.#reads.splice(0)) read();
  }
}

function stores(checksum: Checksum = crc32) {
  const clock = new ManualClock();
  const wallClock = new ManualClock(1000);
  const memory = new MemoryStore({ bytesMax: 4 * pageBytes, clock, checksum });
  const below = new ScriptedTier();
  const store = new TieredStore(memory, wallClock, below);
  const put = (key: string, fill: number, ttlSeconds?: number) => {
    const writer = store.receive(key, 2 * pageBytes, Uint8Array.of(fill));
    writer.write(new Uint8Array(2 * pageBytes).fill(fill));
    return writer.commit(ttlSeconds);
  };
  const read = (key: string) => {
    const lease = store.lease(key);
    const byte = lease?.spans[0]?.[0];
    lease?.release();
    return byte;
  };
  const load = (key: string) => {
    const loading = store.load(key);
    below.goOn();
    return loading;
  };
  return { clock, wallClock, memory, below, store, put, read, load };
}

test('a value that memory evicts comes back from below, with its label and its time', async () => {
  const { clock, wallClock, store, put, read, load } = stores();
  put('a', 1, 100);
  put('b', 2);
  put('c', 3);
  assert.deepEqual([store.isBelow('a'), store.isBelow('c'), read('a')], [true, false, undefined]);
  assert.deepEqual([store.size('a'), store.label('a')], [2 * pageBytes, Uint8Array.of(1)]);
  assert.deepEqual([store.entries, store.ttlSeconds('a')], [3, 100]);
  for (const time of [clock, wallClock]) time.advance(40);
  assert.equal(await load('a'), true);
  assert.deepEqual([read('a'), store.ttlSeconds('a'), store.isBelow('a')], [1, 60, false]);
  assert.equal(await store.load('nothing'), false);
});

test('a value that a client replaces or deletes while it is read from below does not come back', async () => {
  for (const change of ['replace', 'delete', 'clear'] as const) {
    const { store, put, read, below, memory } = stores();
    for (const [i, key] of ['a', 'b', 'c'].entries()) put(key, i + 1);
    const loading = store.load('a');
    assert.equal(store.load('a'), loading, 'one read for all who ask');
    if (change === 'replace') put('a', 9);
    else if (change === 'delete') store.delete('a');
    else store.clear();
    below.goOn();
    assert.equal(await loading, change === 'replace');
    assert.equal(read('a'), change === 'replace' ? 9 : undefined);
    assert.deepEqual(below.corrupted, []);
    memory.clear();
    assert.equal(put('all', 1), true, 'its memory is free');
  }
});

test('a byte that changed below is a miss, and the value is dropped', async () => {
  const { below, put, read, load, store } = stores();
  for (const [i, key] of ['a', 'b', 'c'].entries()) put(key, i + 1);
  (below.values.get('a') as { bytes: Buffer }).bytes[99] = 77;
  assert.equal(await load('a'), false);
  assert.deepEqual([read('a'), store.exists('a'), below.corrupted], [undefined, false, ['a']]);
});

test('a value from below is checked as it comes, and in memory again, but not twice for one read', async () => {
  let checks = 0;
  const { below, put, read, load, clock } = stores((bytes, before) => {
    checks++;
    return crc32(bytes, before);
  });
  for (const [i, key] of ['a', 'b', 'c'].entries()) put(key, i + 1);
  const during = async (step: () => unknown) => {
    checks = 0;
    await step();
    return checks;
  };
  const pages = await during(() => load('a'));
  assert.ok(pages > 0);
  assert.equal(await during(() => read('a')), 0);
  assert.equal(await during(() => read('a')), pages);
  put('d', 4);
  put('e', 5);
  await load('a');
  clock.advance(1);
  assert.equal(await during(() => read('a')), pages, 'it waited for a second');
  assert.deepEqual(below.corrupted, []);
});

test('a value that finds no room in memory stays below', async () => {
  const { below, put, store, load } = stores();
  for (const [i, key] of ['a', 'b', 'c'].entries()) put(key, i + 1);
  const leases = ['b', 'c'].map((key) => store.lease(key));
  assert.equal(await load('a'), false);
  assert.deepEqual(below.corrupted, []);
  for (const lease of leases) lease?.release();
  assert.equal(await load('a'), true);
});

test('a client that is told of a value below finds it in memory', async () => {
  const { below, put, store, read } = stores();
  for (const [i, key] of ['a', 'b', 'c'].entries()) put(key, i + 1);
  assert.equal(store.exists('a'), true);
  assert.deepEqual(below.held, ['a']);
  const loading = store.load('a');
  below.goOn();
  await loading;
  put('d', 4);
  put('e', 5);
  assert.equal(read('a'), 1, 'promised for 10 s');
});

test('a new time is written below; a value that is below only is dropped by it', () => {
  const { below, put, store } = stores();
  for (const [i, key] of ['a', 'b', 'c'].entries()) put(key, i + 1);
  assert.equal(store.expire('c', 50), true);
  assert.equal(below.values.get('c')?.expiresUnixSeconds, 1050);
  assert.equal(store.expire('a', 50), false);
  assert.equal(below.values.has('a'), false);
  assert.equal(store.expire('c', -1), true);
  assert.equal(below.values.has('c'), false);
});

test('a scan reports the keys of both tiers', () => {
  const { put, store } = stores();
  for (const [i, key] of ['a', 'b', 'c', 'd'].entries()) put(key, i + 1);
  const seen = new Set<string>();
  let [cursor, steps] = [0, 0];
  do {
    const { keys, next } = store.scan(cursor, 1);
    for (const key of keys) seen.add(key);
    cursor = next;
    steps++;
  } while (cursor !== 0 && steps < 20);
  assert.deepEqual([...seen].sort(), ['a', 'b', 'c', 'd']);
});
