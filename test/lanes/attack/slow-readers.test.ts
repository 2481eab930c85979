// Clients that ask for long responses and do not read them, in every shape that engines and others write.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { type TestContext, test } from 'node:test';
import { startScriptedEngine } from '../../support/scripted-engine.ts';
import { startBystander, startTarget, until } from './target.ts';

/** The whole attack has 2,000, which take a minute for each shape. */
const readers = Number(process.env['ATTACK_READERS'] ?? 300);
const responseBytes = 6_000_000;
/**
 * Memory that each of them may cost: one read of the engine's socket, the two connections, and buffers that await the garbage
 * collector. It was 3.9 MB, and is 0.15 to 0.5 MB.
 */
const bytesEachMax = 700_000;

const event = (text: string) =>
  `data: {"id":"c1","object":"chat.completion.chunk","created":1,"model":"m","choices":[{"index":0,"delta":{"content":"${text}"},"finish_reason":null}]}\n\n`;
const small = event('y'.repeat(1_000)).repeat(16);

/** What engines write, in pieces of which each is a chunk. */
const shapes: Readonly<Record<string, () => Iterable<string>>> = {
  *'many events'() {
    for (let sent = 0; sent < responseBytes; sent += small.length) yield small;
  },
  *'one event in one chunk'() {
    yield event('x'.repeat(responseBytes));
  },
  *'one event below the bound of an event'() {
    yield event('x'.repeat(3_900_000));
  },
  *'one event without an end'() {
    yield 'data: {"choices":[{"index":0,"delta":{"content":"';
    for (let sent = 0; sent < responseBytes; sent += 65_536) yield 'x'.repeat(65_536);
  },
};

/** An engine that writes a response as fast as the router reads it. */
function writer(shape: () => Iterable<string>, type: string) {
  return async ({ socket, body }: { readonly socket: Socket; readonly body: string }) => {
    if (body.includes('"Hi"')) {
      socket.write('HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}');
      return;
    }
    socket.write(`HTTP/1.1 200 OK\r\nContent-Type: ${type}\r\nTransfer-Encoding: chunked\r\n\r\n`);
    for (const piece of shape()) {
      if (socket.destroyed) return;
      const isSent = socket.write(`${piece.length.toString(16)}\r\n${piece}\r\n`);
      // Others have their turn.
      await new Promise((resolve) => setImmediate(resolve));
      if (isSent) continue;
      await Promise.race([once(socket, 'drain'), once(socket, 'close')]).catch(() => {});
    }
    socket.write('0\r\n\r\n');
  };
}

/** Starts the attack and waits until nothing more arrives. @returns The attackers' sockets. */
async function readNothing(port: number, isStream: boolean): Promise<Socket[]> {
  const body = JSON.stringify({
    ...{ model: 'm', stream: isStream },
    messages: [{ role: 'user', content: 'much' }],
  });
  const sockets: Socket[] = [];
  for (let i = 0; i < readers; i++) {
    const socket = connect(port, '127.0.0.1').pause();
    socket.on('error', () => {});
    socket.write(
      `POST /v1/chat/completions HTTP/1.1\r\nHost: a\r\nContent-Length: ${body.length}\r\n\r\n${body}`,
    );
    sockets.push(socket);
    if (i % 50 === 49) await new Promise((resolve) => setTimeout(resolve, 200));
  }
  await new Promise((resolve) => setTimeout(resolve, 2_000));
  return sockets;
}

async function attack(
  t: TestContext,
  shape: () => Iterable<string>,
  { type = 'text/event-stream', flags = [] as readonly string[], until: isDone = /^/ } = {},
) {
  const engine = await startScriptedEngine({ onRequest: writer(shape, type) });
  t.after(() => engine.close());
  const target = await startTarget(t, flags, [engine.url]);
  const before = await target.measure();
  const bystander = startBystander(target);
  const sockets = await readNothing(target.port, type === 'text/event-stream');
  await until(() => isDone.test(target.log()));
  const { served, failures } = await bystander.stop();
  assert.deepEqual(failures, []);
  assert.ok(served > 0, 'other clients are served');
  const after = await target.measure();
  return { target, sockets, grownMiB: after.peakRssMiB - before.rssMiB };
}

/** What the router says that it holds. */
async function heldBytes(adminUrl: string): Promise<number> {
  const page = await (await fetch(`${adminUrl}/metrics`)).text();
  const lines = page.matchAll(/^spillway_router_memory_held_bytes\{.*\} (\S+)$/gm);
  return [...lines].reduce((sum, [, value]) => sum + Number(value), 0);
}

for (const [what, shape] of Object.entries(shapes)) {
  test(`${readers} clients that do not read: ${what}`, async (t) => {
    const { target, sockets, grownMiB } = await attack(t, shape);
    const each = (grownMiB * 2 ** 20) / readers;
    assert.ok(each < bytesEachMax, `${(each / 1000).toFixed(0)} kB for each`);
    for (const socket of sockets) socket.destroy();
    await until(async () => (await heldBytes(target.adminUrl)) < 100_000);
  });
}

test(`${readers} clients that do not read: a response that is no stream`, async (t) => {
  const { grownMiB } = await attack(t, () => shapes['many events']?.() ?? [], {
    type: 'application/json',
  });
  const each = (grownMiB * 2 ** 20) / readers;
  assert.ok(each < bytesEachMax, `${(each / 1000).toFixed(0)} kB for each`);
});

test('with little memory, clients that do not read are disconnected, and the others are served', async (t) => {
  const { target, grownMiB } = await attack(t, () => shapes['many events']?.() ?? [], {
    flags: ['--memory-budget', '8MiB'],
    until: /The memory for clients \(--memory-budget, 8 MiB\) is full: \d+ that/,
  });
  assert.ok((await heldBytes(target.adminUrl)) <= 8 * 2 ** 20);
  assert.ok(grownMiB < 120, `memory grew by ${grownMiB.toFixed(0)} MiB`);
});
