// Local ports that are passed on: streams in memory play the other end.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { connect as connectTo, type Socket } from 'node:net';
import { type Duplex, PassThrough } from 'node:stream';
import { type TestContext, test } from 'node:test';
import { openLocalForward } from './local-forward.ts';

async function client(t: TestContext, port: number): Promise<Socket> {
  const socket = connectTo(port, '127.0.0.1');
  socket.on('error', () => undefined);
  t.after(() => socket.destroy());
  await once(socket, 'connect');
  return socket;
}

test('each connection gets an end of its own', async (t) => {
  let opened = 0;
  const forward = await openLocalForward({
    port: 0,
    connect: async () => {
      opened += 1;
      return new PassThrough();
    },
    onState: () => undefined,
  });
  t.after(() => forward.close());
  for (const word of ['one', 'two']) {
    const socket = await client(t, forward.port);
    socket.write(word);
    const [chunk] = await once(socket, 'data');
    assert.equal(String(chunk), word);
  }
  assert.equal(opened, 2);
});

test('a connection that cannot be passed on is closed, and the next one is tried', async (t) => {
  const states: (string | undefined)[] = [];
  let isReady = false;
  const forward = await openLocalForward({
    port: 0,
    connect: async () => {
      if (!isReady) throw new Error('no ready pod');
      return new PassThrough();
    },
    onState: (failure) => states.push(failure),
  });
  t.after(() => forward.close());
  await once(await client(t, forward.port), 'close');
  isReady = true;
  const socket = await client(t, forward.port);
  socket.write('x');
  await once(socket, 'data');
  assert.deepEqual(states, ['no ready pod', undefined]);
});

test('a break of the other end closes the connection', async (t) => {
  const ends: Duplex[] = [];
  const forward = await openLocalForward({
    port: 0,
    connect: async () => {
      const end = new PassThrough();
      ends.push(end);
      return end;
    },
    onState: () => undefined,
  });
  t.after(() => forward.close());
  const socket = await client(t, forward.port);
  socket.write('x');
  await once(socket, 'data');
  ends[0]?.destroy(new Error('broke'));
  await once(socket, 'close');
});

test('closing ends connections, also those that are being opened', async (t) => {
  let reached = () => {};
  const isOpening = new Promise<void>((resolve) => {
    reached = resolve;
  });
  const forward = await openLocalForward({
    port: 0,
    connect: (signal) =>
      new Promise((_, reject) => {
        signal.addEventListener('abort', () => reject(signal.reason));
        reached();
      }),
    onState: (failure) => assert.fail(failure),
  });
  const socket = await client(t, forward.port);
  await isOpening;
  const closed = once(socket, 'close');
  await forward.close();
  await closed;
});

test('a port in use is an error', async (t) => {
  const options = { connect: async () => new PassThrough(), onState: () => undefined };
  const forward = await openLocalForward({ port: 0, ...options });
  t.after(() => forward.close());
  await assert.rejects(openLocalForward({ port: forward.port, ...options }), {
    code: 'EADDRINUSE',
  });
});
