import assert from 'node:assert/strict';
import { once } from 'node:events';
import { connect, createServer, type Socket } from 'node:net';
import { type TestContext, test } from 'node:test';
import { clientSocket } from './client-reads.ts';

/** Sends bytes to a server whose reader has memory of its own for the first `inPlace` ones. */
async function received(t: TestContext, inPlace: number, spoil: (accepted: Socket) => void) {
  const server = createServer({ pauseOnConnect: true });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  const client = connect(typeof address === 'object' ? (address?.port ?? 0) : 0, '127.0.0.1');
  t.after(() => client.destroy());
  const [accepted] = (await once(server, 'connection')) as [Socket];
  spoil(accepted);
  const place = new Uint8Array(new SharedArrayBuffer(inPlace));
  const all: Buffer[] = [];
  let filled = 0;
  const { socket, start } = clientSocket(accepted);
  start({
    space: () => (filled < inPlace ? place.subarray(filled) : undefined),
    filled: (count) => {
      all.push(Buffer.from(place.slice(filled, filled + count)));
      filled += count;
    },
    push: (bytes) => all.push(Buffer.from(bytes)),
  });
  const bytes = Buffer.from(Uint8Array.from({ length: 300_000 }, (_, i) => i % 251));
  client.end(bytes);
  await once(socket, 'close');
  // The server knows that its connection is gone.
  server.close();
  await once(server, 'close');
  return { filled, isRight: Buffer.concat(all).equals(bytes) };
}

test('bytes are received in their place, and others are pushed', async (t) => {
  assert.deepEqual(await received(t, 200_000, () => {}), { filled: 200_000, isRight: true });
});

test('a socket of which nothing is known is read by events', async (t) => {
  const found = await received(t, 200_000, (accepted) => {
    const { _handle: handle } = accepted as unknown as { _handle: { useUserBuffer: unknown } };
    handle.useUserBuffer = undefined;
  });
  assert.deepEqual(found, { filled: 0, isRight: true });
});
