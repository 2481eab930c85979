import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer } from 'node:http';
import { type AddressInfo, connect } from 'node:net';
import { test } from 'node:test';
import { nextSlice } from './slices.ts';

/** Keeps the processor busy. */
function work(milliseconds: number): void {
  const endMs = performance.now() + milliseconds;
  while (performance.now() < endMs);
}

test('slices of all work have turns of their own, in order of arrival', async () => {
  const order: string[] = [];
  let turns = 0;
  const countTurns = () => {
    turns++;
    if (order.length < 6) setImmediate(countTurns);
  };
  setImmediate(countTurns);
  const slices = async (name: string) => {
    for (let i = 0; i < 2; i++) {
      await nextSlice();
      order.push(`${name}${i}`);
    }
  };
  await Promise.all([slices('a'), slices('b'), slices('c')]);
  assert.deepEqual(order, ['a0', 'b0', 'c0', 'a1', 'b1', 'c1']);
  assert.ok(turns >= 12, `${turns} turns`);
});

test('clients that connect together do not wait for a slice each', async (t) => {
  const server = createServer((_request, response) => void response.end());
  await once(server.listen(0, '127.0.0.1'), 'listening');
  t.after(() => server.close());
  const { port } = server.address() as AddressInfo;
  let slices = 0;
  let isOver = false;
  const working = (async () => {
    for (; !isOver; slices++) {
      work(5);
      await nextSlice();
    }
  })();
  const clients = Array.from({ length: 60 }, () => {
    const socket = connect(port, '127.0.0.1');
    socket.write('GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n');
    return once(socket.resume(), 'close');
  });
  await Promise.all(clients);
  isOver = true;
  await working;
  assert.ok(slices < 45, `${slices} slices`);
});
