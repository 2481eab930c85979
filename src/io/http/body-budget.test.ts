import assert from 'node:assert/strict';
import { after, test } from 'node:test';
import { BodyBudget, type BodyHolder } from './body-budget.ts';
import { unboundedMemory } from './server-memory.ts';
import { Ticker } from './ticker.ts';

const ticker = new Ticker({ tickMs: 1_000 });
after(() => ticker.stop());

class Connection implements BodyHolder {
  reservedBytes = 0;
  evicted = false;
  readonly address: string;
  bodySinceTick: number | undefined;
  readonly #budget: () => BodyBudget;

  constructor(budget: () => BodyBudget, address: string, bodySinceTick: number | undefined) {
    this.#budget = budget;
    this.address = address;
    this.bodySinceTick = bodySinceTick;
  }

  evictBody(): void {
    this.evicted = true;
    this.#budget().release(this);
  }
}

/** A full budget of 100 bytes; each holder is `[address, bytes, seconds without progress]`. */
function full(holders: readonly (readonly [string, number, number | undefined])[]) {
  ticker.now = 100;
  const connections: Connection[] = [];
  const budget: BodyBudget = new BodyBudget({
    ...{ bytesMax: 100, ticker, holders: () => connections },
    memory: unboundedMemory().requests,
  });
  for (const [address, bytes, idleSeconds] of holders) {
    const since = idleSeconds === undefined ? undefined : ticker.now - idleSeconds;
    const connection = new Connection(() => budget, address, since);
    connections.push(connection);
    budget.reserve(connection, bytes);
  }
  const join = (address: string): Connection => {
    const connection = new Connection(() => budget, address, ticker.now);
    connections.push(connection);
    return connection;
  };
  return { budget, connections, join };
}

const evicted = (connections: readonly Connection[]) => connections.map(({ evicted }) => evicted);

test('evicts stalled bodies, longest stalled first and no more than needed', () => {
  const { budget, connections, join } = full([
    ['a', 40, 3],
    ['a', 30, 9],
    ['a', 30, 5],
  ]);
  budget.reserve(join('a'), 50);
  assert.deepEqual(evicted(connections), [false, true, true, false]);
  assert.equal(budget.bytes, 90);
});

test('does not evict an arriving body for a client of the same address', () => {
  const { budget, connections, join } = full([
    ['a', 60, 0],
    ['a', 40, 1],
  ]);
  assert.throws(() => budget.reserve(join('a'), 1), { status: 503 });
  assert.deepEqual(evicted(connections), [false, false, false]);
});

test('an address that is refused takes no other one with it, up to 16 in a tick', () => {
  const { budget, connections, join } = full([['a', 100, 0]]);
  assert.throws(() => budget.reserve(join('a'), 1), { status: 503 });
  budget.reserve(join('b'), 10);
  assert.deepEqual(evicted(connections), [true, false, false]);

  const shared = full([
    ['a', 50, 0],
    ['b', 50, 0],
  ]);
  for (let i = 0; i < 16; i++) {
    assert.throws(() => shared.budget.reserve(shared.join(`c${i}`), 50), { status: 503 });
  }
  assert.throws(() => shared.budget.reserve(shared.join('d'), 10), { status: 503 });
  ticker.now++;
  shared.budget.reserve(shared.join('d'), 10);
});

test('evicts arriving bodies of an address that holds more than the requesting one would', () => {
  const { budget, connections, join } = full([
    ['hog', 50, 0],
    ['hog', 30, 1],
    ['b', 20, 0],
  ]);
  budget.reserve(join('c'), 20);
  assert.deepEqual(evicted(connections), [false, true, false, false]);
});

test('does not evict bodies of requests in flight', () => {
  const { budget, connections, join } = full([['hog', 100, undefined]]);
  assert.throws(() => budget.reserve(join('c'), 1), { status: 503 });
  assert.deepEqual(evicted(connections), [false, false]);
});

test('released memory can be reserved again', () => {
  const { budget, connections, join } = full([['a', 100, undefined]]);
  budget.release(connections[0] as Connection);
  budget.reserve(join('a'), 100);
  assert.equal(budget.bytes, 100);
});
