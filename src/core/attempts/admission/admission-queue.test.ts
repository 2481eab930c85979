// The order in which queued requests are admitted.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { AdmissionQueue, type QueuedRequest, type QueuePlace } from './admission-queue.ts';

interface Named extends QueuedRequest {
  readonly name: string;
}

function named(name: string, owner = 'a', priority = 0, cost = 1): Named {
  return { name, owner, priority, cost };
}

function queueOf(requests: readonly Named[]) {
  const queue = new AdmissionQueue<Named>();
  const places = new Map(requests.map((request) => [request.name, queue.add(request, 0)]));
  return { queue, place: (name: string) => places.get(name) as QueuePlace<Named> };
}

function order(queue: AdmissionQueue<Named>): string {
  const names: string[] = [];
  for (let place = queue.take(); place !== undefined; place = queue.take()) {
    names.push(place.request.name);
  }
  return names.join(' ');
}

test('the most urgent request is next, then the one that came first', () => {
  const { queue } = queueOf([
    ...[named('usual1'), named('low', 'a', 5), named('usual2'), named('high', 'a', -1)],
  ]);
  assert.deepEqual(queue.byPriority(), [
    { priority: -1, requests: 1 },
    { priority: 0, requests: 2 },
    { priority: 5, requests: 1 },
  ]);
  assert.equal(order(queue), 'high usual1 usual2 low');
});

test('an owner with one request does not wait for all those of another one', () => {
  const { queue } = queueOf([named('a1'), named('a2'), named('a3'), named('b1', 'b')]);
  assert.equal(order(queue), 'a1 b1 a2 a3');
});

test('owners get equal work, not equal numbers of requests', () => {
  const long = [1, 2, 3].map((i) => named(`long${i}`, 'long', 0, 4));
  const short = [1, 2, 3, 4, 5, 6, 7, 8].map((i) => named(`s${i}`, 'short', 0, 1));
  const { queue } = queueOf([...long, ...short]);
  assert.equal(order(queue), 'long1 s1 s2 s3 s4 long2 s5 s6 s7 s8 long3');
});

test('an owner that comes later does not catch up on work that it did not ask for', () => {
  const { queue } = queueOf([named('a1'), named('a2'), named('a3'), named('a4')]);
  queue.take();
  queue.take();
  queue.add(named('b1', 'b'), 0);
  queue.add(named('b2', 'b'), 0);
  assert.equal(order(queue), 'b1 a3 b2 a4');
});

test('a request that leaves is not admitted, and leaves once', () => {
  const { queue, place } = queueOf([named('a1'), named('a2'), named('a3')]);
  assert.equal(queue.remove(place('a2')), true);
  assert.equal(queue.remove(place('a2')), false);
  assert.equal(queue.size, 2);
  assert.equal(order(queue), 'a1 a3');
});

test('the request that gives way is the newest of the owner with most, at the lowest priority', () => {
  const { queue } = queueOf([
    ...[named('a1', 'a', 0), named('b1', 'b', 1), named('b2', 'b', 1), named('c1', 'c', 1)],
  ]);
  const victim = (owner: string, priority: number) =>
    queue.lastToServe({ owner, priority })?.request.name;
  assert.equal(victim('a', 0), 'b2', 'less urgent requests give way');
  assert.equal(victim('d', 1), 'b2', 'an owner without requests comes before one with two');
  assert.equal(victim('c', 1), undefined, 'it would have two itself');
  assert.equal(victim('d', 2), undefined, 'it is the least urgent itself');
});

test('the number ahead counts more urgent requests, and a fair share of equal ones', () => {
  const { queue } = queueOf([
    ...[named('h', 'x', -1), named('a1'), named('a2'), named('a3'), named('b1', 'b')],
  ]);
  assert.equal(queue.ahead({ priority: -1, owner: 'y' }), 1);
  assert.equal(queue.ahead({ priority: 0, owner: 'c' }), 1 + 2);
  assert.equal(queue.ahead({ priority: 0, owner: 'a' }), 1 + 4);
  assert.equal(queue.ahead({ priority: 1, owner: 'c' }), 5);
});

test('any requests in any order: none is lost, none comes before a more urgent one or its owner’s older one', () => {
  const step = fc.oneof(
    fc.record({
      owner: fc.constantFrom('a', 'b', 'c'),
      priority: fc.integer({ min: -2, max: 2 }),
      cost: fc.integer({ min: 1, max: 9 }),
    }),
    fc.constant('take' as const),
    fc.nat(20).map((leaver) => ({ leaver })),
  );
  fc.assert(
    fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
      const queue = new AdmissionQueue<Named>();
      let waiting: QueuePlace<Named>[] = [];
      steps.forEach((one, i) => {
        if (one === 'take') {
          const taken = queue.take();
          assert.equal(taken === undefined, waiting.length === 0);
          if (taken === undefined) return;
          const { priority, owner } = taken.request;
          const rivals = waiting.filter(({ request }) => request.priority <= priority);
          assert.ok(rivals.every(({ request }) => request.priority === priority));
          assert.equal(
            rivals.find(({ request }) => request.owner === owner),
            taken,
          );
          waiting = waiting.filter((place) => place !== taken);
        } else if ('leaver' in one) {
          const [leaver] = waiting.splice(one.leaver % (waiting.length + 1), 1);
          if (leaver !== undefined) assert.equal(queue.remove(leaver), true);
        } else waiting.push(queue.add({ ...one, name: String(i) }, i));
        assert.deepEqual([...queue], waiting);
      });
    }),
  );
});
