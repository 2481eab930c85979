import assert from 'node:assert/strict';
import { once } from 'node:events';
import { connect, createServer, type Socket } from 'node:net';
import { type TestContext, test } from 'node:test';
import { readInto } from './read-into.ts';

/** An accepted socket and the peer that it talks to. */
async function acceptedSocket(context: TestContext): Promise<[accepted: Socket, peer: Socket]> {
  const server = createServer().listen(0, '127.0.0.1');
  context.after(() => server.close());
  await once(server, 'listening');
  const { port } = server.address() as { port: number };
  const peer = connect(port, '127.0.0.1');
  const [accepted] = (await once(server, 'connection')) as [Socket];
  context.after(() => {
    peer.destroy();
    accepted.destroy();
  });
  return [accepted, peer];
}

/**
 * Returns what arrives of a text in which every byte differs from its neighbours, until the peer
 * ends.
 */
async function passThrough(accepted: Socket, peer: Socket): Promise<{ shared: boolean }> {
  const text = Array.from({ length: 60_000 }, (_, i) => `${i};`).join('');
  let received = '';
  const ended = once(accepted, 'end');
  const shared = readInto(accepted, (bytes) => {
    received += bytes.toString('latin1');
  });
  peer.end(text);
  await ended;
  assert.equal(received, text);
  return { shared };
}

// Fails if Node renames the fields that readInto sets; the router then still works, but slower.
test('reads accepted sockets into the shared buffer, to their end', async (context) => {
  const [accepted, peer] = await acceptedSocket(context);
  assert.deepEqual(await passThrough(accepted, peer), { shared: true });
});

test('reads a socket without the fields of this Node by its data events', async (context) => {
  const [accepted, peer] = await acceptedSocket(context);
  Object.assign((accepted as unknown as { _handle: object })._handle, { useUserBuffer: undefined });
  assert.deepEqual(await passThrough(accepted, peer), { shared: false });
});

test('a paused socket delivers nothing until it is resumed', async (context) => {
  const [accepted, peer] = await acceptedSocket(context);
  let bytesRead = 0;
  readInto(accepted, (bytes) => {
    bytesRead += bytes.length;
    accepted.pause();
  });
  peer.write(Buffer.alloc(300_000));
  while (bytesRead < 300_000) {
    const before = bytesRead;
    accepted.resume();
    while (bytesRead === before) await new Promise(setImmediate);
    const paused = bytesRead;
    await new Promise(setImmediate);
    assert.equal(bytesRead, paused);
  }
});
