// What is listed and watched next after each way in which an API server ends a step, and that any order of events
// converges to what the cluster has.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { ManualClock, type Random, seededRandom } from '../base/index.ts';
import type { WatchEvent } from './api-objects.ts';
import { type ListStep, WatchedList } from './watched-list.ts';

test('a list comes first, then a watch from its version', () => {
  const { list } = begin();
  assert.deepEqual(list.next(), { kind: 'list', pauseSeconds: 0 });
  assert.equal(list.isListed, false);
  listed(list, { a: 'A' }, '7');
  assert.deepEqual([...list.objects], [['/a', 'A']]);
  const watch = list.next();
  assert.deepEqual(
    { ...watch, timeoutSeconds: 0 },
    { kind: 'watch', pauseSeconds: 0, resourceVersion: '7', timeoutSeconds: 0 },
  );
});

test('a watch goes on from the last event, bookmarks included', () => {
  const { list } = begin();
  list.next();
  listed(list, {}, '7');
  list.next();
  list.served();
  list.apply(applied('a', 'A', '8'));
  list.apply({ kind: 'bookmark', resourceVersion: '12' });
  list.end('lost');
  assert.equal(versionOf(list.next()), '12');
  assert.deepEqual([...list.objects], [['/a', 'A']]);
});

test('a version that is too old leads to a list at once, and a list to a watch at once', () => {
  const { list, clock } = begin();
  list.next();
  listed(list, { a: 'A', b: 'B' }, '7');
  for (let i = 0; i < 4; i++) {
    list.next();
    clock.advance(30);
    list.served();
    list.end('stale');
    assert.deepEqual(list.next(), { kind: 'list', pauseSeconds: 0 });
    listed(list, { b: `B${i}` }, '900');
    assert.deepEqual([...list.objects], [['/b', `B${i}`]]);
  }
});

test('objects stay until a new list is complete', () => {
  const { list } = begin();
  list.next();
  listed(list, { a: 'A' }, '7');
  list.next();
  list.served();
  list.end('stale');
  list.next();
  list.served();
  list.addPage({ objects: [['/b', 'B']], resourceVersion: '9', continueToken: 'more' });
  assert.deepEqual([...list.objects.keys()], ['/a']);
  list.end('lost');
  assert.deepEqual([...list.objects.keys()], ['/a']);
  list.next();
  listed(list, { c: 'C' }, '10');
  assert.deepEqual([...list.objects.keys()], ['/c']);
});

test('everything is listed again after five minutes, in case an event was never sent', () => {
  const { list, clock } = begin();
  list.next();
  listed(list, {}, '7');
  for (let passed = 0; passed < 300; passed += 60) {
    assert.equal(list.next().kind, 'watch', `after ${passed} s`);
    clock.advance(60);
    list.served();
    list.end('over');
  }
  assert.equal(list.next().kind, 'list');
});

test('a server that does not serve is asked at once, then in growing pauses of at most 5 s', () => {
  const { list } = begin({ next: () => 0.999_999 });
  const pauses: number[] = [];
  for (let i = 0; i < 9; i++) {
    pauses.push(Math.round(list.next().pauseSeconds * 10) / 10);
    list.end('lost');
  }
  assert.deepEqual(pauses, [0, 0, 0.1, 0.2, 0.4, 0.8, 1.6, 3.2, 5]);
});

test('half of a pause is drawn, so that routers do not ask in step', () => {
  const pauseOf = (drawn: number) => {
    const { list } = begin({ next: () => drawn });
    for (let i = 0; i < 12; i++) {
      list.next();
      list.end('lost');
    }
    return list.next().pauseSeconds;
  };
  assert.deepEqual([pauseOf(0), pauseOf(0.5)], [2.5, 3.75]);
});

test('watches that are served and end at once are asked for less and less often', () => {
  const { list } = begin({ next: () => 0.999_999 });
  list.next();
  listed(list, {}, '7');
  const pauses: number[] = [];
  for (let i = 0; i < 5; i++) {
    pauses.push(Math.round(list.next().pauseSeconds * 10) / 10);
    list.served();
    list.end('over');
  }
  assert.deepEqual(pauses, [0, 0, 0.1, 0.2, 0.4]);
});

test('watches that are as short as asked are no failure', () => {
  const { list, clock } = begin(undefined, 1);
  list.next();
  listed(list, {}, '7');
  for (let i = 0; i < 20; i++) {
    assert.equal(list.next().pauseSeconds, 0);
    clock.advance(1);
    list.served();
    list.end('over');
  }
});

test('the pause that a server asks for is made, up to 30 s', () => {
  const { list } = begin();
  list.next();
  list.end('lost', 3);
  assert.equal(list.next().pauseSeconds, 3);
  list.end('lost', 86_400);
  assert.equal(list.next().pauseSeconds, 30);
});

test('more objects than the bound are refused, in a list and in a watch', () => {
  const list = new WatchedList<string>({ ...tools(), objectsMax: 2 });
  list.next();
  assert.throws(() => listed(list, { a: '', b: '', c: '' }, '7'), /lists more than 2 objects/);
  list.end('stale');
  list.next();
  listed(list, { a: '', b: '' }, '8');
  list.next();
  list.served();
  list.apply(applied('b', 'B', '9'));
  assert.throws(() => list.apply(applied('c', 'C', '10')), RangeError);
  assert.deepEqual([...list.objects.keys()], ['/a', '/b']);
});

/** One thing that happens in a cluster, or to the connection of its watcher. */
const happening = fc.oneof(
  { weight: 6, arbitrary: fc.record({ kind: fc.constant('put' as const), name: fc.nat(5) }) },
  { weight: 3, arbitrary: fc.record({ kind: fc.constant('delete' as const), name: fc.nat(5) }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('compact' as const) }) },
  { weight: 6, arbitrary: fc.record({ kind: fc.constant('step' as const), events: fc.nat(4) }) },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant('cut' as const) }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('garbage' as const) }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('pause' as const) }) },
);

test('whatever happens, the objects are those that the cluster had at the version reached, and end as it has them', () => {
  fc.assert(
    fc.property(fc.array(happening, { maxLength: 80 }), fc.nat(), (happenings, seed) => {
      const cluster = new Cluster();
      const { list, clock } = begin(seededRandom(seed));
      const watcher = new Watcher(cluster, list, clock);
      for (const one of happenings) {
        if (one.kind === 'put') cluster.put(one.name);
        else if (one.kind === 'delete') cluster.delete(one.name);
        else if (one.kind === 'compact') cluster.compact();
        else if (one.kind === 'step') watcher.run(one.events);
        else if (one.kind === 'cut') watcher.stop('lost');
        else if (one.kind === 'garbage') watcher.stop('stale');
        else clock.advance(200);
        watcher.check();
      }
      for (let i = 0; i < 4; i++) watcher.run(Number.POSITIVE_INFINITY);
      assert.deepEqual(sorted(list.objects), sorted(cluster.objects));
    }),
    { numRuns: 400 },
  );
});

/** A cluster with a history, as etcd has one. */
class Cluster {
  objects: ReadonlyMap<string, string> = new Map();
  version = 1;
  /** What it had at each version. */
  readonly history = new Map<number, ReadonlyMap<string, string>>([[1, this.objects]]);
  readonly events: WatchEvent<string>[] = [];
  compactedTo = 0;

  put(name: number): void {
    this.#change((objects) => {
      objects.set(`/${name}`, `v${this.version}`);
      return applied(String(name), `v${this.version}`, String(this.version));
    });
  }

  delete(name: number): void {
    if (!this.objects.has(`/${name}`)) return;
    this.#change((objects) => {
      objects.delete(`/${name}`);
      return { kind: 'deleted', key: `/${name}`, resourceVersion: String(this.version) };
    });
  }

  compact(): void {
    this.compactedTo = this.version;
  }

  #change(change: (objects: Map<string, string>) => WatchEvent<string>): void {
    this.version++;
    const objects = new Map(this.objects);
    this.events.push(change(objects));
    this.objects = objects;
    this.history.set(this.version, objects);
  }
}

/** Does what a list decides, against a cluster. */
class Watcher {
  readonly #cluster: Cluster;
  readonly #list: WatchedList<string>;
  readonly #clock: ManualClock;
  #watching: number | undefined;

  constructor(cluster: Cluster, list: WatchedList<string>, clock: ManualClock) {
    this.#cluster = cluster;
    this.#list = list;
    this.#clock = clock;
  }

  /** Begins the next step if none is under way, and delivers so many events. */
  run(events: number): void {
    if (this.#watching === undefined) this.#begin();
    if (this.#watching === undefined) return;
    const pending = this.#cluster.events.filter(
      (event) => versionOfEvent(event) > (this.#watching ?? 0),
    );
    for (const event of pending.slice(0, events)) {
      this.#list.apply(event);
      this.#watching = versionOfEvent(event);
    }
  }

  stop(how: 'lost' | 'stale'): void {
    if (this.#watching === undefined) this.#clock.advance(this.#list.next().pauseSeconds);
    this.#list.end(how);
    this.#watching = undefined;
  }

  check(): void {
    if (this.#watching === undefined) return;
    const expected = this.#cluster.history.get(this.#watching);
    assert.deepEqual(sorted(this.#list.objects), sorted(expected ?? new Map()));
  }

  #begin(): void {
    const step = this.#list.next();
    this.#clock.advance(step.pauseSeconds);
    this.#list.served();
    if (step.kind === 'list') {
      const { objects, version } = this.#cluster;
      const entries = [...objects];
      const resourceVersion = String(version);
      const half = Math.ceil(entries.length / 2);
      this.#list.addPage({ objects: entries.slice(0, half), resourceVersion, continueToken: 'x' });
      this.#list.addPage({
        objects: entries.slice(half),
        resourceVersion,
        continueToken: undefined,
      });
      this.#list.end('over');
    } else if (Number(step.resourceVersion) < this.#cluster.compactedTo) {
      this.#list.end('stale');
    } else {
      this.#watching = Number(step.resourceVersion);
    }
  }
}

function tools(random: Random = seededRandom(1)) {
  return { clock: new ManualClock(), random };
}

function begin(random?: Random, watchSeconds?: number) {
  const { clock, random: source } = tools(random);
  return { clock, list: new WatchedList<string>({ clock, random: source, watchSeconds }) };
}

function listed(list: WatchedList<string>, objects: Readonly<Record<string, string>>, at: string) {
  list.served();
  const entries = Object.entries(objects).map(([key, value]) => [`/${key}`, value] as const);
  list.addPage({ objects: entries, resourceVersion: at, continueToken: undefined });
  list.end('over');
}

function applied(name: string, object: string, resourceVersion: string): WatchEvent<string> {
  return { kind: 'applied', key: `/${name}`, object, resourceVersion };
}

function versionOf(step: ListStep): string {
  return step.kind === 'watch' ? step.resourceVersion : 'none: a list';
}

function versionOfEvent(event: WatchEvent<string>): number {
  return event.kind === 'error' ? 0 : Number(event.resourceVersion);
}

function sorted(objects: ReadonlyMap<string, string>): readonly (readonly [string, string])[] {
  return [...objects].sort(([one], [other]) => (one < other ? -1 : 1));
}
