import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer } from 'node:http';
import { type AddressInfo, connect } from 'node:net';
import { type TestContext, test } from 'node:test';
import { setTimeout as wait } from 'node:timers/promises';
import { ApiError } from '../../../core/api/index.ts';
import { BodyRoom, type BodyRoomOptions } from './body-room.ts';

async function start(t: TestContext, options: BodyRoomOptions) {
  const room = new BodyRoom(options);
  const server = createServer((request, response) => {
    room.read(request).then(
      ({ bytes, giveBack }) => {
        giveBack();
        response.end(`${bytes.length}`);
      },
      (error) => {
        response.statusCode = error instanceof ApiError ? error.httpStatus : 500;
        response.end(String(error.message));
      },
    );
  });
  await once(server.listen(0, '127.0.0.1'), 'listening');
  t.after(() => {
    server.closeAllConnections();
    server.close();
  });
  const upload = (length: number, sent: number) => {
    const socket = connect((server.address() as AddressInfo).port, '127.0.0.1');
    socket.on('error', () => undefined);
    socket.write(`POST / HTTP/1.1\r\nHost: a\r\nContent-Length: ${length}\r\n\r\n`);
    socket.write('x'.repeat(sent));
    let text = '';
    socket.setEncoding('latin1').on('data', (data) => {
      text += data;
    });
    return { socket, text: () => text, closed: once(socket, 'close').then(() => text) };
  };
  return { room, upload };
}

test('whole bodies are read, and their room is given back', async (t) => {
  const { room, upload } = await start(t, {});
  const { socket, text } = upload(200_000, 200_000);
  while (!text().endsWith('200000')) await once(socket, 'data');
  assert.equal(room.bytes, 0);
});

test('without room the body that stalled, or else the largest, is refused and its connection closed', async (t) => {
  const { room, upload } = await start(t, { allBytesMax: 1_000_000, lingerMs: 100 });
  const small = upload(500_000, 300_000);
  const large = upload(900_000, 600_000);
  await wait(200);
  const third = upload(300_000, 200_000);
  assert.match(await large.closed, /^HTTP\/1\.1 503 [\s\S]*together may have 1000000 bytes/);
  await wait(2_200);
  third.socket.write('x'.repeat(90_000));
  await wait(100);
  upload(700_000, 500_000);
  assert.match(await small.closed, /^HTTP\/1\.1 503 /);
  assert.ok(room.bytes <= 1_000_000, `${room.bytes}`);
  third.socket.end('x'.repeat(10_000));
  assert.match(await third.closed, /^HTTP\/1\.1 200 [\s\S]*300000$/);
});

test('a body that comes too slowly is refused and its connection closed', async (t) => {
  const { room, upload } = await start(t, { rateMs: 400, lingerMs: 100 });
  const slow = upload(10_000, 0);
  const drip = setInterval(() => slow.socket.write('x'), 50);
  t.after(() => clearInterval(drip));
  assert.match(await slow.closed, /^HTTP\/1\.1 408 [\s\S]*bytes in 0\.4 s; this engine needs 4800/);
  assert.equal(room.bytes, 0);
});

test('a client that leaves gives its room back', async (t) => {
  const { room, upload } = await start(t, {});
  const { socket } = upload(1_000_000, 500_000);
  while (room.bytes === 0) await wait(5);
  socket.destroy();
  while (room.bytes > 0) await wait(5);
});
