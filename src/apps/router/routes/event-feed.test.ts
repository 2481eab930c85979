// GET /dashboard/events: who gets an event when.
import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import type { RouterView } from '../../../core/views/index.ts';
import type { ExchangeListener, ServerExchange } from '../../../io/http/index.ts';
import { EventFeed } from './event-feed.ts';

/** A viewer, and what it has received. */
class Viewer {
  readonly head: object;
  readonly target = '/dashboard/events';
  readonly lastLines = 'Connection: close\r\n';
  readonly received: string[] = [];
  listener: ExchangeListener | undefined;
  congested = false;
  isLast = false;
  hasEnded = false;

  constructor(method = 'GET') {
    this.head = { method };
  }

  begin(head: string, bytes?: Buffer): void {
    this.received.push(head, String(bytes ?? ''));
  }

  write(bytes: Buffer): void {
    this.received.push(String(bytes));
  }

  closeAfterwards(): void {
    this.isLast = true;
  }

  end(): void {
    this.hasEnded = true;
  }
}

/** A feed whose view counts how often it was asked for. */
function begin(context: TestContext) {
  context.mock.timers.enable({ apis: ['setInterval'] });
  let views = 0;
  const feed = new EventFeed(() => ({ requests: ++views }) as unknown as RouterView);
  context.after(() => feed.close());
  return {
    feed,
    views: () => views,
    add: (viewer = new Viewer()) => {
      feed.add(viewer as unknown as ServerExchange);
      return viewer;
    },
    pass: (ms: number) => context.mock.timers.tick(ms),
  };
}

test('a viewer gets an event at once, and then one per second', (t) => {
  const { add, pass } = begin(t);
  const viewer = add();
  const [head, first] = viewer.received;
  assert.match(head ?? '', /^HTTP\/1\.1 200 OK\r\nContent-Type: text\/event-stream\r\n/);
  assert.match(head ?? '', /\r\nConnection: close\r\n\r\n$/);
  assert.ok(viewer.isLast);
  assert.equal(first, 'data: {"requests":1}\n\n');
  pass(999);
  assert.equal(viewer.received.length, 2);
  pass(1);
  pass(1000);
  assert.deepEqual(viewer.received.slice(2), [
    'data: {"requests":2}\n\n',
    'data: {"requests":3}\n\n',
  ]);
});

test('all viewers of one second get the same event; one that is slow gets none', (t) => {
  const { add, pass, views } = begin(t);
  const [quick, slow] = [add(), add()];
  slow.congested = true;
  pass(1000);
  assert.equal(views(), 3, 'one for each that came, and one for both');
  assert.equal(quick.received.at(-1), 'data: {"requests":3}\n\n');
  assert.equal(slow.received.length, 2);
  slow.congested = false;
  pass(1000);
  assert.equal(slow.received.at(-1), quick.received.at(-1));
});

test('the view is not made while nobody looks', (t) => {
  const { add, pass, views } = begin(t);
  const [first, second] = [add(), add()];
  first.listener?.onClientGone?.();
  pass(1000);
  assert.equal(views(), 3);
  assert.equal(first.received.length, 2, 'one that has left gets nothing');
  second.listener?.onClientGone?.();
  pass(5000);
  assert.equal(views(), 3);
  const third = add();
  pass(1000);
  assert.equal(third.received.at(-1), 'data: {"requests":5}\n\n');
});

test('HEAD gets the head of a feed, and the 65th viewer 503', (t) => {
  const { add, views } = begin(t);
  const head = add(new Viewer('HEAD'));
  assert.match(head.received[0] ?? '', /^HTTP\/1\.1 200 .*text\/event-stream/s);
  assert.ok(head.hasEnded);
  assert.equal(views(), 0);
  const viewers = Array.from({ length: 64 }, () => add());
  const refused = add();
  assert.match(refused.received.join(''), /^HTTP\/1\.1 503 .*More than 64 viewers/s);
  viewers[7]?.listener?.onClientGone?.();
  assert.match(add().received[0] ?? '', /^HTTP\/1\.1 200 /);
});

test('a router that stops ends all feeds', (t) => {
  const { feed, add, pass, views } = begin(t);
  const viewers = [add(), add()];
  feed.close();
  assert.deepEqual(
    viewers.map(({ hasEnded }) => hasEnded),
    [true, true],
  );
  pass(2000);
  assert.equal(views(), 2);
});
