import assert from 'node:assert/strict';
import { test } from 'node:test';
import { MemoryBudget } from '../../core/memory/index.ts';
import { BodyBudget } from './body-budget.ts';
import { Ticker } from './index.ts';
import {
  type ServerMemory,
  UnreadCount,
  type UnreadHolder,
  UnreadResponses,
} from './server-memory.ts';

/** A client that is behind since a tick. */
class Client implements UnreadHolder {
  readonly unreadSinceTick: number | undefined;
  readonly #count: UnreadCount;
  isDropped = false;

  constructor(all: UnreadResponses, unreadSinceTick: number | undefined) {
    this.unreadSinceTick = unreadSinceTick;
    this.#count = new UnreadCount(all);
  }

  get unreadBytes(): number {
    return this.#count.bytes;
  }

  holds(bytes: number, slackBytes = 0): void {
    this.#count.wrote(bytes, undefined, slackBytes);
  }

  dropUnread(): void {
    this.isDropped = true;
    this.#count.clear();
  }
}

/** Memory of 1,600 bytes, of which requests may take 1,400. */
function memoryOf(clients: readonly Client[]) {
  const budget = new MemoryBudget(1_600);
  const drops: [number, number][] = [];
  const memory: ServerMemory = {
    ...{ budget, requests: budget.share(7 / 8), responses: budget.share(1) },
    onDropped: (...drop) => drops.push(drop),
  };
  return { budget, memory, drops, unread: new UnreadResponses(memory, () => clients) };
}

test('when memory is full, clients that are behind longest go first, until a sixteenth is free', () => {
  const clients: Client[] = [];
  const { budget, drops, unread } = memoryOf(clients);
  for (const since of [30, 10, undefined, 20]) clients.push(new Client(unread, since));
  for (const client of clients) client.holds(400);
  assert.equal(budget.bytes, 1_600);
  clients[2]?.holds(401);
  assert.deepEqual(
    clients.map(({ isDropped }) => isDropped),
    [false, true, false, false],
  );
  assert.deepEqual([drops, budget.bytes], [[[1, 400]], 1_201]);
});

test('of two that are behind for the same time, the one that holds more goes first', () => {
  const clients: Client[] = [];
  const { unread } = memoryOf(clients);
  for (let i = 0; i < 3; i++) clients.push(new Client(unread, 7));
  [300, 700, 601].forEach((bytes, i) => {
    clients[i]?.holds(bytes);
  });
  assert.deepEqual(
    clients.map(({ isDropped }) => isDropped),
    [false, true, false],
  );
});

test('what a socket holds beside its unsent bytes counts until it has sent all', () => {
  const clients: Client[] = [];
  const { budget, unread } = memoryOf(clients);
  const client = new Client(unread, 0);
  client.holds(100, 50);
  client.holds(80);
  assert.equal(budget.bytes, 130);
  client.holds(0);
  client.holds(10);
  assert.equal(budget.bytes, 10);
});

test('a request takes memory from clients that are behind, down to an eighth of all', (t) => {
  const clients: Client[] = [];
  const { memory, budget, unread } = memoryOf(clients);
  for (let i = 0; i < 16; i++) clients.push(new Client(unread, i));
  for (const client of clients) client.holds(100);
  const ticker = new Ticker({ tickMs: 60_000 });
  t.after(() => ticker.stop());
  const bodies = new BodyBudget({
    ...{ bytesMax: 10_000, ticker, holders: () => [], memory: memory.requests },
    makeRoom: (bytes) => unread.makeRoom(bytes),
  });
  const holder = { reservedBytes: 0, address: 'a', bodySinceTick: undefined, evictBody() {} };
  bodies.reserve(holder, 1_000);
  const left = clients.filter(({ isDropped }) => !isDropped).length;
  assert.deepEqual([left, budget.bytes, memory.responses.bytes], [3, 1_300, 300]);
  bodies.reserve(holder, 200);
  assert.throws(() => bodies.reserve(holder, 10), { status: 503 });
  assert.deepEqual([memory.responses.bytes, budget.bytes], [200, 1_400]);
  bodies.release(holder);
  assert.equal(budget.bytes, 200);
});
