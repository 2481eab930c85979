// Comments on streams that have no data yet: `--sse-keep-alive-interval`.
import assert from 'node:assert/strict';
import { connect } from 'node:net';
import { type TestContext, test } from 'node:test';
import type { RouterOptions, RunningRouter } from '../../src/apps/router/index.ts';
import { stack } from '../support/router-stack.ts';
import {
  chunk,
  eventStreamHead,
  type ReceivedRequest,
  respond,
  type Script,
} from '../support/scripted-engine.ts';
import { until } from '../support/until.ts';

const body = JSON.stringify({
  ...{ model: 'm', stream: true },
  messages: [{ role: 'user', content: 'Hello' }],
});
const comment = chunk(': keep-alive\n\n');
const [first, last] = [
  'data: {"id":"x","choices":[{"index":0,"delta":{"content":"Hi"}}]}\n\n',
  'data: [DONE]\n\n',
];
const answer = `${chunk(first)}${chunk(last)}0\r\n\r\n`;
const whole = `${first}${last}end of body`;

/** An engine that accepts a stream and is silent until told. */
class Slow implements Script {
  readonly requests: ReceivedRequest[] = [];
  readonly onRequest = (request: ReceivedRequest) => {
    this.requests.push(request);
    request.socket.write(eventStreamHead);
  };
  write(text: string): void {
    this.requests.at(-1)?.socket.write(text);
  }
}

const quick: Script = {
  onRequest: ({ socket }) => socket.write(eventStreamHead + answer),
};
const on = { sseKeepAliveSeconds: 0.05 };

/** Asks for a stream; `seen` has all that has arrived, and `isOver` says whether the router has closed. */
function ask(t: TestContext, router: RunningRouter, text = body) {
  const socket = connect(router.port, '127.0.0.1');
  t.after(() => socket.destroy());
  const client = { seen: '', isOver: false };
  socket.setEncoding('latin1').on('data', (more) => {
    client.seen += more;
  });
  socket.on('close', () => {
    client.isOver = true;
  });
  socket.write(
    `POST /v1/chat/completions HTTP/1.1\r\nHost: r\r\nConnection: close\r\nContent-Length: ${text.length}\r\n\r\n${text}`,
  );
  return client;
}

/** The events that the client gets, without comments; `end of body` marks the last chunk. */
function eventsOf(seen: string): string {
  let rest = seen.slice(seen.indexOf('\r\n\r\n') + 4);
  let events = '';
  for (;;) {
    const [line = ''] = rest.split('\r\n', 1);
    if (line === '') return events.replaceAll(': keep-alive\n\n', '');
    const start = line.length + 2;
    const size = Number.parseInt(line, 16);
    if (size === 0) events += 'end of body';
    events += rest.slice(start, start + size);
    rest = rest.slice(start + size + 2);
  }
}

async function slow(t: TestContext, others: readonly Script[], options: Partial<RouterOptions>) {
  const engine = new Slow();
  const { router } = await stack(t, [engine, ...others], { migration: false, ...options });
  return { engine, router };
}

for (const migration of [false, true]) {
  test(`a stream without data gets comments, and then its data (migration ${migration})`, async (t) => {
    const { engine, router } = await slow(t, [], { ...on, migration });
    const client = ask(t, router);
    await until(() => client.seen.split(comment).length > 3);
    assert.match(client.seen, /^HTTP\/1\.1 200 OK\r\n/);
    engine.write(answer);
    await until(() => client.isOver);
    assert.equal(eventsOf(client.seen), whole);
    assert.ok(!client.seen.slice(client.seen.indexOf(first)).includes(': keep-alive'));
  });

  test(`an engine that fails after comments is replaced unseen (migration ${migration})`, async (t) => {
    const { engine, router } = await slow(t, [quick], { ...on, migration });
    const client = ask(t, router);
    await until(() => client.seen.includes(comment));
    engine.requests[0]?.socket.destroy();
    await until(() => client.isOver);
    assert.equal(eventsOf(client.seen), whole);
    assert.equal(client.seen.match(/HTTP\/1\.1/g)?.length, 1);
  });

  test(`if no other engine can respond after comments, the stream ends with an error event (migration ${migration})`, async (t) => {
    const { engine, router } = await slow(t, [], { ...on, migration });
    const client = ask(t, router);
    await until(() => client.seen.includes(comment));
    engine.requests[0]?.socket.destroy();
    await until(() => client.isOver);
    assert.match(eventsOf(client.seen), /\n\ndata: \{"error":\{"message":"[^"]+",.*\}\}\n\n$/);
  });

  test(`a refusal by the next engine after comments is an error event (migration ${migration})`, async (t) => {
    const refusing: Script = {
      onRequest: ({ socket }) => respond(socket, 400, '{"error":{"message":"too long"}}'),
    };
    const { engine, router } = await slow(t, [refusing], { ...on, migration });
    const client = ask(t, router);
    await until(() => client.seen.includes(comment));
    engine.requests[0]?.socket.destroy();
    await until(() => client.isOver);
    assert.match(eventsOf(client.seen), /data: \{"error":\{"message":"[^"]*status 400/);
    assert.equal(client.seen.match(/HTTP\/1\.1/g)?.length, 1);
  });
}

test('before the engine has accepted the stream nothing is sent, so its status stays', async (t) => {
  let request: ReceivedRequest | undefined;
  const script: Script = {
    onRequest: (received) => {
      request = received;
    },
  };
  const { router } = await stack(t, [script], { ...on, tickMs: 5 });
  const client = ask(t, router);
  await until(() => request !== undefined);
  await new Promise((resolve) => setTimeout(resolve, 150));
  assert.equal(client.seen, '');
  respond((request as unknown as ReceivedRequest).socket, 400, '{"error":{"message":"no"}}');
  await until(() => client.isOver);
  assert.match(client.seen, /^HTTP\/1\.1 400 /);
});

test('by default nothing reaches the client before the first data', async (t) => {
  const { engine, router } = await slow(t, [], {});
  const client = ask(t, router);
  await until(() => engine.requests.length === 1);
  await new Promise((resolve) => setTimeout(resolve, 150));
  assert.equal(client.seen, '');
  engine.write(answer);
  await until(() => client.isOver);
  assert.equal(eventsOf(client.seen), whole);
});
