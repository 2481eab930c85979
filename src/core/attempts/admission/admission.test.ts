// Who is admitted, who waits, and who is rejected.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { ManualClock, seededRandom } from '../../base/index.ts';
import {
  Admission,
  type AdmissionLimits,
  type AdmissionPlace,
  type AdmissionRequest,
  type Rejection,
} from './admission.ts';

/** A fleet whose engines take as many requests as `room` says, and a log of what happened. */
class Desk {
  readonly clock = new ManualClock();
  readonly log: string[] = [];
  readonly rejections: Rejection[] = [];
  readonly room = new Map<string, number>();
  /** Whether the models have no engine. */
  isEmpty = false;
  readonly admission: Admission;

  constructor(limits: Partial<AdmissionLimits> = {}) {
    this.admission = new Admission({
      ...{ queueTimeoutSeconds: 10, queuedRequestsMax: 100, ...limits },
      clock: this.clock,
      random: { next: () => 0 },
      hasRoom: (model = 'm') => this.isEmpty || (this.room.get(model) ?? 0) > 0,
      mayReturn: () => this.isEmpty,
    });
  }

  enter(name: string, request: Partial<AdmissionRequest> = {}): AdmissionPlace | undefined {
    const { model = 'm' } = request;
    return this.admission.enter({
      ...{ model, priority: 0, owner: '', cost: 1, patienceSeconds: Number.POSITIVE_INFINITY },
      ...request,
      admitted: (waited) => {
        this.room.set(model, (this.room.get(model) ?? 0) - 1);
        this.log.push(`${name} admitted after ${waited.toFixed(1)}`);
      },
      rejected: (rejection, waited) => {
        this.rejections.push(rejection);
        this.log.push(`${name} ${rejection.reason} after ${waited.toFixed(1)}`);
      },
    });
  }

  /** Lets time pass, with this room for each second. */
  pass(seconds: number, roomPerSecond = 0): void {
    for (let i = 0; i < seconds * 4; i++) {
      this.clock.advanceTo(this.clock.nowSeconds() + 0.25);
      if (i % 4 === 3) this.room.set('m', roomPerSecond);
      this.admission.tick();
    }
  }

  taken(): string[] {
    return this.log.splice(0);
  }
}

test('while an engine has room, a request is admitted at once', () => {
  const desk = new Desk();
  desk.room.set('m', 1);
  assert.equal(desk.admission.isOpen('m'), true);
  assert.equal(desk.enter('a'), undefined);
  assert.deepEqual(desk.taken(), ['a admitted after 0.0']);
  assert.equal(desk.admission.isStanding, false);
});

test('while all engines are saturated, requests wait; each is admitted as soon as there is room', () => {
  const desk = new Desk();
  desk.enter('a');
  desk.enter('b');
  desk.pass(2);
  assert.deepEqual(desk.taken(), []);
  assert.equal(desk.admission.queued, 2);
  desk.room.set('m', 1);
  desk.admission.release();
  assert.deepEqual(desk.taken(), ['a admitted after 2.0']);
  desk.room.set('m', 5);
  desk.admission.release();
  assert.deepEqual(desk.taken(), ['b admitted after 2.0']);
  assert.equal(desk.admission.isStanding, false);
});

test('a new request does not overtake those that wait', () => {
  const desk = new Desk();
  desk.enter('a');
  desk.room.set('m', 1);
  assert.notEqual(desk.enter('b'), undefined);
  desk.admission.release();
  assert.deepEqual(desk.taken(), ['a admitted after 0.0']);
});

test('a request is rejected once it has waited as long as it may', () => {
  const desk = new Desk({ queueTimeoutSeconds: 3 });
  desk.enter('a');
  desk.pass(1);
  desk.enter('b');
  desk.pass(2);
  assert.deepEqual(desk.taken(), ['a timeout after 3.0']);
  desk.pass(1);
  assert.deepEqual(desk.taken(), ['b timeout after 3.0']);
  assert.equal(desk.admission.isStanding, false);
});

test('a request that would wait longer than it may is rejected when it arrives', () => {
  const desk = new Desk({ queueTimeoutSeconds: 10 });
  for (let i = 0; i < 34; i++) desk.enter(`early${i}`);
  // Two requests per second are admitted.
  desk.pass(5, 2);
  desk.taken();
  assert.equal(desk.admission.queued, 24);
  desk.enter('twelve seconds behind');
  assert.deepEqual(desk.taken(), ['twelve seconds behind late after 0.0']);
  desk.enter('urgent', { priority: -1 });
  desk.enter('another owner', { owner: 'b' });
  assert.deepEqual(desk.taken(), [], 'they come before most of the others');
  desk.enter('hasty', { owner: 'b', patienceSeconds: 0.5 });
  assert.deepEqual(desk.taken(), ['hasty late after 0.0'], 'its client would be gone');
});

test('a full queue rejects, unless the new request comes before one that waits', () => {
  const desk = new Desk({ queuedRequestsMax: 2 });
  desk.enter('a1', { owner: 'a' });
  desk.enter('a2', { owner: 'a' });
  desk.enter('a3', { owner: 'a' });
  assert.deepEqual(desk.taken(), ['a3 full after 0.0']);
  desk.enter('b1', { owner: 'b', priority: 1 });
  assert.deepEqual(desk.taken(), ['b1 full after 0.0']);
  desk.enter('urgent', { priority: -1 });
  assert.deepEqual(desk.taken(), ['a2 displaced after 0.0']);
  assert.equal(desk.admission.queued, 2);
});

test('one owner cannot keep another one out of a full queue', () => {
  const desk = new Desk({ queuedRequestsMax: 4 });
  for (let i = 0; i < 9; i++) desk.enter(`a${i}`, { owner: 'a' });
  desk.taken();
  desk.enter('b1', { owner: 'b' });
  desk.enter('b2', { owner: 'b' });
  desk.enter('b3', { owner: 'b' });
  assert.deepEqual(desk.taken(), [
    'a3 displaced after 0.0',
    'a2 displaced after 0.0',
    'b3 full after 0.0',
  ]);
});

test('models do not wait for each other', () => {
  const desk = new Desk();
  desk.enter('a');
  desk.room.set('other', 1);
  desk.enter('b', { model: 'other' });
  assert.deepEqual(desk.taken(), ['b admitted after 0.0']);
});

test('a client that leaves frees its place at once', () => {
  const desk = new Desk({ queuedRequestsMax: 1 });
  const place = desk.enter('a') as AdmissionPlace;
  desk.admission.leave(place);
  assert.equal(desk.admission.isStanding, false);
  assert.notEqual(desk.enter('b'), undefined);
  desk.admission.leave(place);
  assert.equal(desk.admission.queued, 1);
});

test('Retry-After is the time in which half of the queue is admitted, between 1 and 60 s', () => {
  const desk = new Desk({ queuedRequestsMax: 40, queueTimeoutSeconds: 1000 });
  for (let i = 0; i < 41; i++) desk.enter(`a${i}`);
  assert.equal(desk.rejections.at(-1)?.retryAfterSeconds, 1, 'nothing is known yet');
  desk.pass(10, 2);
  for (let i = 0; i < 21; i++) desk.enter(`b${i}`);
  assert.equal(desk.rejections.at(-1)?.reason, 'full');
  assert.equal(desk.rejections.at(-1)?.retryAfterSeconds, 10);
  desk.pass(200);
  desk.enter('c');
  assert.equal(desk.rejections.at(-1)?.retryAfterSeconds, 60);
  assert.equal(desk.rejections.at(-1)?.status, 429);
});

test('the state names each queue with its length, owners, oldest request and rate', () => {
  const desk = new Desk();
  desk.enter('a', { owner: 'a' });
  desk.pass(1);
  desk.enter('b', { owner: 'b', priority: 3 });
  assert.deepEqual(desk.admission.state(), [
    {
      model: 'm',
      requests: 2,
      byPriority: [
        { priority: 0, requests: 1 },
        { priority: 3, requests: 1 },
      ],
      owners: 2,
      oldestSeconds: 1,
      admittedPerSecond: undefined,
    },
  ]);
});

test('whatever happens, each request ends once, and the queue keeps its bound', () => {
  const event = fc.oneof(
    fc.record({
      owner: fc.constantFrom('a', 'b', 'c'),
      priority: fc.integer({ min: -1, max: 1 }),
      model: fc.constantFrom('m', 'n'),
      patienceSeconds: fc.constantFrom(0.5, 2, Number.POSITIVE_INFINITY),
    }),
    fc.record({ room: fc.nat(3) }),
    fc.record({ seconds: fc.constantFrom(0.25, 1, 5) }),
    fc.record({ leaver: fc.nat(10) }),
  );
  fc.assert(
    fc.property(fc.array(event, { maxLength: 80 }), fc.integer(), (events, seed) => {
      const clock = new ManualClock();
      let room = 0;
      let entered = 0;
      const ends = new Map<number, string>();
      const places: AdmissionPlace[] = [];
      const admission = new Admission({
        ...{ queueTimeoutSeconds: 4, queuedRequestsMax: 3 },
        ...{ clock, random: seededRandom(seed), hasRoom: () => room > 0 },
        mayReturn: () => false,
      });
      for (const one of events) {
        if ('owner' in one) {
          const id = entered++;
          const end = (how: string) => {
            assert.equal(ends.has(id), false, `request ${id} ends twice`);
            ends.set(id, how);
          };
          const place = admission.enter({
            ...{ ...one, cost: 1 },
            admitted: (waited) => {
              room--;
              assert.ok(waited <= 4.001);
              end('admitted');
            },
            rejected: () => end('rejected'),
          });
          if (place !== undefined) places.push(place);
        } else if ('room' in one) {
          room = one.room;
          admission.release();
        } else if ('seconds' in one) {
          clock.advanceTo(clock.nowSeconds() + one.seconds);
          admission.tick();
        } else {
          const place = places[one.leaver];
          if (place?.line !== undefined) ends.set(ends.size - 1e6, 'left');
          if (place !== undefined) admission.leave(place);
        }
        assert.equal(ends.size + admission.queued, entered);
        for (const { requests } of admission.state()) assert.ok(requests > 0 && requests <= 3);
      }
    }),
  );
});

test('without an engine, a request is held until one comes', () => {
  const desk = new Desk({ queueTimeoutSeconds: 0, holdTimeoutSeconds: 300 });
  desk.isEmpty = true;
  assert.ok(desk.enter('a'));
  desk.clock.advance(200);
  desk.admission.tick();
  assert.deepEqual(desk.log, []);
  desk.isEmpty = false;
  desk.room.set('m', 1);
  desk.admission.tick();
  assert.deepEqual(desk.log, ['a admitted after 200.0']);
});

test('a held request fails with 503 when no engine has come in time', () => {
  const desk = new Desk({ queueTimeoutSeconds: 10, holdTimeoutSeconds: 300 });
  desk.isEmpty = true;
  desk.enter('a');
  desk.clock.advance(299);
  desk.admission.tick();
  assert.equal(desk.rejections.length, 0);
  desk.clock.advance(1);
  desk.admission.tick();
  assert.deepEqual(
    desk.rejections.map(({ reason, status }) => [reason, status]),
    [['no-engine', 503]],
  );
});

test('held requests keep their time when the first engine comes and is busy with others of them', () => {
  const desk = new Desk({ queueTimeoutSeconds: 10, holdTimeoutSeconds: 300 });
  desk.isEmpty = true;
  for (const name of ['a', 'b']) desk.enter(name);
  desk.clock.advance(100);
  desk.isEmpty = false;
  desk.room.set('m', 1);
  desk.admission.tick();
  desk.clock.advance(20);
  desk.admission.tick();
  assert.equal(desk.rejections.length, 0);
  desk.room.set('m', 1);
  desk.admission.tick();
  assert.deepEqual(desk.log, ['a admitted after 100.0', 'b admitted after 120.0']);
});

test('without a hold, a request for a model without an engine is admitted, so that it fails at once', () => {
  const desk = new Desk();
  desk.isEmpty = true;
  assert.equal(desk.enter('a'), undefined);
  assert.deepEqual(desk.log, ['a admitted after 0.0']);
});
