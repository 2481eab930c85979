// Handoffs of prompts between two engines, step by step.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { TieredSequence, TierStep } from '../tiers/contract.ts';
import { KvExchange, type KvRead } from './kv-exchange.ts';

/** Three engines with blocks of 4 tokens and 4 bytes, and links of 4 bytes per second. */
function exchangeOf(leaseSeconds?: number) {
  const reads: KvRead[] = [];
  const engine = { bytesPerSecond: 4, blockBytes: 4, blockSize: 4 };
  const exchange = new KvExchange({
    ...{ engines: [engine, engine, engine], latencySeconds: 0, leaseSeconds },
    onRead: (read) => reads.push(read),
  });
  const connectors = [0, 1, 2].map((index) => exchange.connect(index));
  const [first, second, third] = connectors as [Connector, Connector, Connector];
  /** Announces a prompt and computes it on the first engine, which then keeps its blocks. */
  const compute = (id: string, promptTokens = 8): TieredSequence => {
    const sequence = sequenceOf(id, promptTokens);
    exchange.expect(id, 0);
    assert.equal(first.keepsBlocks?.(sequence, 'length'), true);
    return sequence;
  };
  /** Starts to read a prompt on another engine, which has some of it cached. */
  const read = (connector: Connector, id: string, now: number, localTokens = 0) => {
    const sequence = sequenceOf(id, 8);
    const hit = connector.lookup(sequence, localTokens, now);
    assert.ok(hit);
    connector.load(sequence, localTokens, hit, now);
    return sequence;
  };
  return { exchange, reads, first, second, third, compute, read };
}

type Connector = ReturnType<KvExchange['connect']>;

function sequenceOf(id: string, promptTokens: number): TieredSequence {
  return { request: { id, promptTokens } } as unknown as TieredSequence;
}

test('a computed prompt is read once, and then both engines are notified', () => {
  const { exchange, reads, first, second, compute, read } = exchangeOf();
  assert.deepEqual(second.lookup(sequenceOf('a', 8), 0, 0)?.tokens, 0, 'nothing is ready');
  const kept = compute('a');
  assert.ok(exchange.isReady('a'));
  assert.equal(second.lookup(sequenceOf('a', 8), 4, 0)?.tokens, 4);
  const reading = read(second, 'a', 10);
  assert.deepEqual([exchange.isReady('a'), exchange.nextSeconds], [false, 12]);
  assert.deepEqual([...exchange.advance(11.9)], []);
  assert.deepEqual([...exchange.advance(12)].sort(), [0, 1]);
  assert.deepEqual([first.advance(12), second.advance(12)], [[kept], [reading]]);
  assert.equal(second.hasFailed?.(reading), false);
  assert.deepEqual(reads, [
    { id: 'a', from: 0, to: 1, bytes: 8, startSeconds: 10, endSeconds: 12 },
  ]);
  const transfer = { transfers: 1, bytes: 8, seconds: 2 };
  const none = { transfers: 0, bytes: 0, seconds: 0 };
  const rest = { allocationFailures: 0, storesSkipped: 0, tiers: [] };
  assert.deepEqual(first.stats, { loads: none, stores: transfer, ...rest });
  assert.deepEqual(second.stats, { loads: transfer, stores: none, ...rest });
  assert.deepEqual([exchange.size, exchange.nextSeconds], [0, Number.POSITIVE_INFINITY]);
  // A handoff costs the engine's own steps nothing.
  assert.equal(first.planned({} as TierStep), 0);
});

test('only blocks that the reader lacks are transferred', () => {
  const { exchange, reads, second, compute, read } = exchangeOf();
  compute('a');
  read(second, 'a', 0, 4);
  exchange.advance(1);
  assert.equal(reads[0]?.bytes, 4);
});

test('an engine frees abandoned blocks after 30 s, in the order in which they were abandoned', () => {
  const { exchange, first, second, compute, read } = exchangeOf();
  const [one, two] = [compute('a'), compute('b')];
  compute('c');
  exchange.abandon('a', 0);
  exchange.abandon('b', 5);
  exchange.abandon('c', 6);
  exchange.abandon('unknown', 0);
  assert.equal(exchange.nextSeconds, 30);
  assert.deepEqual([...exchange.advance(29.9)], []);
  assert.deepEqual([...exchange.advance(30)], [0]);
  assert.deepEqual(first.advance(30), [one]);
  // A prompt that is read after all is kept until the read ends.
  read(second, 'c', 34);
  assert.deepEqual([...exchange.advance(35)], [0]);
  assert.deepEqual(first.advance(35), [two]);
  exchange.advance(36);
  assert.equal(first.advance(36).length, 1);
  assert.deepEqual([...exchange.advance(99)], []);
  const short = exchangeOf(3);
  short.compute('a');
  short.exchange.abandon('a', 10);
  assert.equal(short.exchange.nextSeconds, 13);
});

test('releases a prompt whose reader ends first; the end of its own request changes nothing', () => {
  const { exchange, first, second, compute } = exchangeOf();
  const kept = compute('a');
  first.finished(kept);
  assert.ok(exchange.isReady('a'));
  second.finished(sequenceOf('a', 8));
  assert.equal(exchange.size, 0);
  assert.deepEqual(first.advance(0), [kept]);
});

test('only the engine that was to compute blocks keeps them, and not after an abort', () => {
  const { exchange, first, second } = exchangeOf();
  exchange.expect('a', 0);
  assert.equal(second.keepsBlocks?.(sequenceOf('a', 8), 'length'), false);
  assert.equal(first.keepsBlocks?.(sequenceOf('other', 8), 'length'), false);
  assert.equal(first.keepsBlocks?.(sequenceOf('a', 8), 'abort'), false);
  assert.equal(exchange.size, 0);
});

test('a failed engine loses its computed prompts, and reads from it fail', () => {
  const { exchange, second, compute, read } = exchangeOf();
  compute('ready');
  compute('reading');
  exchange.expect('prefilling', 0);
  const reading = read(second, 'reading', 0);
  assert.deepEqual(exchange.engineFailed(0, 1), [
    { id: 'ready', wasRead: false },
    { id: 'reading', wasRead: true },
  ]);
  assert.deepEqual([exchange.size, exchange.nextSeconds], [0, Number.POSITIVE_INFINITY]);
  assert.deepEqual(second.advance(1), [reading]);
  assert.equal(second.hasFailed?.(reading), true);
  assert.equal(second.hasFailed?.(reading), false, 'reported once');
  assert.deepEqual([...exchange.advance(5)], []);
});

test('when a reader fails, the prompt can be read again, and other reads continue', () => {
  const { exchange, reads, second, third, compute, read } = exchangeOf();
  compute('a');
  compute('b');
  read(second, 'a', 0);
  read(third, 'b', 0);
  assert.deepEqual(exchange.engineFailed(1, 1), []);
  assert.deepEqual([exchange.isReady('a'), exchange.isReady('b')], [true, false]);
  const restarted = exchange.connect(1);
  const again = read(restarted, 'a', 10);
  exchange.advance(exchange.nextSeconds);
  exchange.advance(exchange.nextSeconds);
  assert.deepEqual(
    reads.map(({ id, to }) => `${id} ${to}`),
    ['b 2', 'a 1'],
  );
  assert.deepEqual(restarted.advance(20), [again]);
  assert.equal(exchange.size, 0);
});
