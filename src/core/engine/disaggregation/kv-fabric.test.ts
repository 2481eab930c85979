// Links that transfers share, at both ends.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { KvFabric, type KvTransfer } from './kv-fabric.ts';

const port = (bytesPerSecond: number) => ({ bytesPerSecond });

/** Starts transfers at their times. @returns When each ended, in the order of the transfers. */
function play(
  rates: readonly number[],
  latencySeconds: number,
  transfers: readonly { from: number; to: number; bytes: number; at: number }[],
): number[] {
  const fabric = new KvFabric({ ports: rates.map(port), latencySeconds });
  const ended = new Map<KvTransfer, number>();
  const begun: KvTransfer[] = [];
  const waiting = transfers.map((transfer, i) => ({ ...transfer, i })).sort((a, b) => a.at - b.at);
  while (ended.size < transfers.length) {
    const start = waiting[0]?.at ?? Number.POSITIVE_INFINITY;
    const now = Math.min(start, fabric.nextSeconds);
    assert.ok(Number.isFinite(now), 'no transfer ends any more');
    for (const transfer of fabric.takeDone(now)) ended.set(transfer, now);
    if (now !== start) continue;
    const { i, from, to, bytes } = waiting.shift() as (typeof waiting)[number];
    begun[i] = fabric.start({ from, to, bytes }, now);
  }
  assert.equal(fabric.size, 0);
  return begun.map((transfer) => ended.get(transfer) as number);
}

test('a single transfer takes its bytes over the slower of the two links, plus the latency', () => {
  assert.deepEqual(play([100, 50], 0.25, [{ from: 0, to: 1, bytes: 100, at: 1 }]), [3.25]);
});

test('two transfers from one engine share its outgoing link, and the last one has all of it again', () => {
  const ended = play([100, 100, 100], 0, [
    { from: 0, to: 1, bytes: 100, at: 0 },
    { from: 0, to: 2, bytes: 50, at: 0 },
  ]);
  assert.deepEqual(ended, [1.5, 1]);
});

test('two transfers to one engine share its incoming link', () => {
  const ended = play([100, 100, 100], 0, [
    { from: 0, to: 2, bytes: 100, at: 0 },
    { from: 1, to: 2, bytes: 100, at: 1 },
  ]);
  // The first ends when the second starts; both have the whole link.
  assert.deepEqual(ended, [1, 2]);
});

test('outgoing and incoming links of one engine do not affect each other', () => {
  const ended = play([100, 100], 0, [
    { from: 0, to: 1, bytes: 100, at: 0 },
    { from: 1, to: 0, bytes: 100, at: 0 },
  ]);
  assert.deepEqual(ended, [1, 1]);
});

test('a cancelled transfer leaves its share to the others', () => {
  const fabric = new KvFabric({ ports: [port(100), port(100)], latencySeconds: 0 });
  const stopped = fabric.start({ from: 0, to: 1, bytes: 1000 }, 0);
  fabric.start({ from: 0, to: 1, bytes: 100 }, 0);
  fabric.cancel(stopped, 1);
  assert.equal(fabric.nextSeconds, 1.5);
  assert.equal(fabric.takeDone(1.5).length, 1);
  assert.equal(fabric.nextSeconds, Number.POSITIVE_INFINITY);
});

test('transfers over links that take no time end when they start', () => {
  const inf = Number.POSITIVE_INFINITY;
  const transfers = [0, 0, 2].map((at) => ({ from: 0, to: 1, bytes: 1e9, at }));
  assert.deepEqual(play([inf, inf], 0, transfers), [0, 0, 2]);
});

const traffic = fc.array(
  fc.record({
    from: fc.nat(2),
    to: fc.integer({ min: 3, max: 5 }),
    bytes: fc.integer({ min: 1, max: 1000 }),
    at: fc.nat(20),
  }),
  { minLength: 1, maxLength: 20 },
);
const rates = fc.array(fc.integer({ min: 1, max: 100 }), { minLength: 6, maxLength: 6 });

test('no transfer is faster than its links, or slower than alone after all others', () => {
  fc.assert(
    fc.property(rates, traffic, (bytesPerSecond, transfers) => {
      const ended = play(bytesPerSecond, 0, transfers);
      for (const [i, { from, to, bytes, at }] of transfers.entries()) {
        const slower = Math.min(bytesPerSecond[from] ?? 0, bytesPerSecond[to] ?? 0);
        const took = (ended[i] ?? 0) - at;
        assert.ok(took >= bytes / slower - 1e-9, `${took} s for ${bytes} bytes at ${slower}`);
        const slowest = Math.min(...bytesPerSecond);
        const all = transfers.reduce((sum, other) => sum + other.bytes, 0);
        assert.ok(took <= all / slowest + 1e-9);
      }
    }),
  );
});

test('an engine sends no more than its outgoing link carries', () => {
  fc.assert(
    fc.property(rates, traffic, (bytesPerSecond, transfers) => {
      const ended = play(bytesPerSecond, 0, transfers);
      for (const engine of [0, 1, 2]) {
        const own = transfers.flatMap((transfer, i) =>
          transfer.from === engine ? [{ ...transfer, ended: ended[i] ?? 0 }] : [],
        );
        if (own.length === 0) continue;
        const first = Math.min(...own.map(({ at }) => at));
        const last = Math.max(...own.map((transfer) => transfer.ended));
        const bytes = own.reduce((sum, transfer) => sum + transfer.bytes, 0);
        assert.ok(bytes <= (bytesPerSecond[engine] ?? 0) * (last - first) + 1e-6);
      }
    }),
  );
});

test('with links twice as fast, no transfer ends later', () => {
  fc.assert(
    fc.property(rates, traffic, (bytesPerSecond, transfers) => {
      const slow = play(bytesPerSecond, 0, transfers);
      const fast = play(
        bytesPerSecond.map((rate) => 2 * rate),
        0,
        transfers,
      );
      for (const [i, seconds] of slow.entries()) assert.ok((fast[i] ?? 0) <= seconds + 1e-9);
    }),
  );
});

test('refuses a link without a rate or with a latency below 0', () => {
  for (const rate of [0, -1, Number.NaN]) {
    const ports = [port(100), port(rate)];
    assert.throws(() => new KvFabric({ ports, latencySeconds: 0 }), RangeError);
  }
  for (const latencySeconds of [-1, Number.NaN]) {
    assert.throws(() => new KvFabric({ ports: [port(100)], latencySeconds }), RangeError);
  }
});

test('the next end changes when a transfer is cancelled or joins', () => {
  const fabric = new KvFabric({ ports: [100, 100, 100].map(port), latencySeconds: 0 });
  fabric.start({ from: 0, to: 1, bytes: 100 }, 0);
  assert.equal(fabric.nextSeconds, 1);
  const other = fabric.start({ from: 0, to: 2, bytes: 50 }, 0);
  assert.equal(fabric.nextSeconds, 1, 'half of the rate for half of the bytes');
  fabric.cancel(other, 0.5);
  assert.equal(fabric.nextSeconds, 1.25, '75 bytes are left');
  assert.equal(fabric.size, 1);
});

test('transfers are reported a latency after their end, in order, unless they are cancelled', () => {
  const fabric = new KvFabric({ ports: [100, 100, 100, 100].map(port), latencySeconds: 0.5 });
  const first = fabric.start({ from: 0, to: 1, bytes: 50 }, 0);
  const second = fabric.start({ from: 2, to: 3, bytes: 75 }, 0);
  const third = fabric.start({ from: 1, to: 2, bytes: 80 }, 0);
  assert.deepEqual([...fabric.takeDone(0.5), ...fabric.takeDone(0.75)], []);
  assert.equal(fabric.nextSeconds, 0.8);
  assert.deepEqual(fabric.takeDone(0.8), []);
  fabric.cancel(third, 0.9);
  assert.deepEqual(fabric.takeDone(1), [first]);
  assert.deepEqual(fabric.takeDone(1.25), [second]);
  assert.deepEqual([fabric.size, fabric.nextSeconds], [0, Number.POSITIVE_INFINITY]);
});

test('less than a byte that is left takes less time than a byte', () => {
  const ended = play([100, 100, 100], 0, [
    { from: 0, to: 1, bytes: 50, at: 0 },
    { from: 0, to: 2, bytes: 100, at: 0.495 },
  ]);
  assert.ok(Math.abs((ended[0] ?? 0) - 0.505) < 1e-9, `${ended[0]}`);
});
