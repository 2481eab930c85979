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
  const pushed: Buffer[] = [];
  let filled = 0;
  const { socket, start } = clientSocket(accepted);
  start({
    space: () => (filled < inPlace ? place.subarray(filled) : undefined),
    filled: (count) => {
      filled += count;
    },
    push: (bytes) => pushed.push(Buffer.from(bytes)),
  });
  const bytes = Buffer.from(Uint8Array.from({ length: 300_000 }, (_, i) => i % 251));
  client.end(bytes);
  await once(socket, 'close');
  // The server knows that its connection is gone.
  server.close();
  await once(server, 'close');
  return { bytes, place: Buffer.from(place.slice(0, filled)), pushed: Buffer.concat(pushed) };
}

test('bytes are received in their place, and what follows is pushed', async (t) => {
  const { bytes, place, pushed } = await received(t, 200_000, () => {});
  assert.ok(place.equals(bytes.subarray(0, 200_000)));
  assert.ok(pushed.equals(bytes.subarray(200_000)));
});

test('a socket of which nothing is known is read by events', async (t) => {
  const { bytes, place, pushed } = await received(t, 200_000, (accepted) => {
    const { _handle: handle } = accepted as unknown as { _handle: { useUserBuffer: unknown } };
    handle.useUserBuffer = undefined;
  });
  assert.equal(place.length, 0);
  assert.ok(pushed.equals(bytes));
});
