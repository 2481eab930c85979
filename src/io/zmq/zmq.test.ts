import assert from 'node:assert/strict';
import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Socket } from 'node:net';
import { test } from 'node:test';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { InputError } from '../../core/base/index.ts';
import {
  dealerRequest,
  formatZmqEndpoint,
  openRouterSocket,
  PublisherSocket,
  parseZmqEndpoint,
  SubscriberSocket,
  ZmqTimeoutError,
  ZmtpError,
} from './index.ts';
import { encodeGreeting, encodeMessage, encodeReady, FrameDecoder } from './zmtp.ts';

const local = 'tcp://127.0.0.1:0';

test('a subscriber receives the topics that it subscribed to, frame by frame, with long frames', async () => {
  const publisher = await PublisherSocket.open({ endpoint: local });
  const messages: string[][] = [];
  const subscriber = new SubscriberSocket({
    endpoint: publisher.endpoint,
    topic: 'kv@',
    onMessage: (frames) => messages.push(frames.map((frame) => Buffer.from(frame).toString())),
  });
  await until(() => publisher.subscribers === 1);
  const long = 'x'.repeat(300_000);
  for (const topic of ['kv@a', 'other', 'kv@b']) {
    publisher.send([bytes(topic), bytes(''), bytes(long)]);
  }
  await until(() => messages.length === 2);
  assert.deepEqual(messages, [
    ['kv@a', '', long],
    ['kv@b', '', long],
  ]);
  await Promise.all([subscriber.close(), publisher.close()]);
});

test('a subscriber reconnects to its publisher after a restart', async () => {
  let publisher = await PublisherSocket.open({ endpoint: local });
  const { endpoint } = publisher;
  const messages: string[] = [];
  const subscriber = new SubscriberSocket({
    endpoint,
    reconnectMs: 5,
    onMessage: ([frame = bytes('')]) => messages.push(Buffer.from(frame).toString()),
  });
  await until(() => publisher.subscribers === 1);
  await publisher.close();
  await until(() => !subscriber.connected);
  publisher = await PublisherSocket.open({ endpoint });
  await until(() => publisher.subscribers === 1);
  publisher.send([bytes('again')]);
  await until(() => messages.length === 1);
  await Promise.all([subscriber.close(), publisher.close()]);
});

test('a publisher may connect to a listening subscriber, as vLLM does for a fixed host', async () => {
  const received: Buffer[] = [];
  const server = createServer((socket) => {
    socket.write(encodeGreeting());
    socket.write(encodeReady('SUB'));
    socket.write(encodeMessage([Uint8Array.of(1)]));
    socket.on('data', (chunk) => received.push(chunk));
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  const port = typeof address === 'object' ? address?.port : 0;
  const publisher = await PublisherSocket.open({
    endpoint: `tcp://127.0.0.1:${port}`,
    connect: true,
  });
  await until(() => publisher.subscribers === 1);
  publisher.send([bytes('hello')]);
  await until(() => Buffer.concat(received).includes('\x00\x05hello'));
  await publisher.close();
  server.close();
});

test('a subscriber that does not read loses messages, which are counted, and delays no other one', async () => {
  const publisher = await PublisherSocket.open({ endpoint: local, highWaterMark: 3 });
  const stuck = await rawPeer(publisher.endpoint);
  stuck.write(encodeReady('SUB'));
  stuck.write(encodeMessage([Uint8Array.of(1)]));
  stuck.pause();
  let messages = 0;
  const subscriber = new SubscriberSocket({
    endpoint: publisher.endpoint,
    onMessage: () => {
      messages += 1;
    },
  });
  await until(() => publisher.subscribers === 2);
  const payload = new Uint8Array(4 * 1024 * 1024);
  for (let sent = 1; sent <= 6; sent++) {
    publisher.send([payload]);
    await until(() => messages === sent);
  }
  assert.ok(publisher.droppedMessages >= 1, `${publisher.droppedMessages} lost`);
  stuck.destroy();
  await Promise.all([subscriber.close(), publisher.close()]);
});

test('subscriptions come as messages (ZMTP 3.0) and as commands (3.1), and can be cancelled', async () => {
  const publisher = await PublisherSocket.open({ endpoint: local });
  const peer = await rawPeer(publisher.endpoint);
  peer.write(encodeReady('XSUB'));
  peer.write(command('SUBSCRIBE', 'a'));
  await until(() => publisher.subscribers === 1);
  peer.write(command('CANCEL', 'a'));
  await until(() => publisher.subscribers === 0);
  peer.write(encodeMessage([Uint8Array.of(1, 97)]));
  await until(() => publisher.subscribers === 1);
  peer.write(encodeMessage([Uint8Array.of(0, 97)]));
  await until(() => publisher.subscribers === 0);
  peer.destroy();
  await publisher.close();
});

test('a PING is answered with a PONG that carries its context', async () => {
  const publisher = await PublisherSocket.open({ endpoint: local });
  const peer = await rawPeer(publisher.endpoint);
  peer.write(encodeReady('SUB'));
  peer.write(command('PING', '\0\0context'));
  let answer = '';
  for await (const chunk of peer) {
    answer += chunk.toString('latin1');
    if (answer.endsWith('\x04PONGcontext')) break;
  }
  await publisher.close();
});

test('a dealer that does not read its replies is disconnected, and the others get theirs', async () => {
  const reply = new Uint8Array(64 * 1024);
  const router = await openRouterSocket({
    endpoint: local,
    onMessage: (peer) => peer.reply([reply]),
  });
  const stuck = await rawPeer(router.endpoint);
  // With replies unread, the kernel may tell it of a reset.
  stuck.on('error', () => {});
  const closed = new Promise((resolve) => stuck.once('close', resolve));
  stuck.write(encodeReady('DEALER'));
  for (let i = 0; i < 5000; i++) stuck.write(encodeMessage([bytes('ask')]));
  stuck.pause();
  let bytesRead = 0;
  await dealerRequest({
    ...{ endpoint: router.endpoint, frames: [bytes('ask')], timeoutMs: 10_000 },
    onMessage: ([frame]) => {
      bytesRead = frame?.length ?? 0;
      return true;
    },
  });
  assert.equal(bytesRead, reply.length);
  // It sees the end once it reads what the kernel holds.
  stuck.resume();
  await closed;
  assert.ok(stuck.bytesRead < 5000 * reply.length, `${stuck.bytesRead} bytes`);
  await router.close();
});

test('only the dealer that sent a request receives its responses', async () => {
  const router = await openRouterSocket({
    endpoint: local,
    onMessage: (peer, frames) => {
      const [, count = bytes('0')] = frames;
      for (let i = 0; i < Number(Buffer.from(count)); i++) peer.send([bytes(''), bytes(`${i}`)]);
      peer.send([bytes(''), bytes('end')]);
    },
  });
  const ask = async (count: string): Promise<string[]> => {
    const answers: string[] = [];
    await dealerRequest({
      endpoint: router.endpoint,
      frames: [bytes(''), bytes(count)],
      timeoutMs: 2000,
      onMessage: ([, answer = bytes('')]) => {
        answers.push(Buffer.from(answer).toString());
        return answers.at(-1) === 'end';
      },
    });
    return answers;
  };
  assert.deepEqual(await Promise.all([ask('2'), ask('0')]), [['0', '1', 'end'], ['end']]);
  await router.close();
});

test('a request to a silent peer fails at its deadline, and at once when cancelled', async () => {
  const router = await openRouterSocket({ endpoint: local, onMessage: () => {} });
  const request = (signal?: AbortSignal): Promise<void> =>
    dealerRequest({
      endpoint: router.endpoint,
      frames: [bytes('?')],
      timeoutMs: signal ? 60_000 : 30,
      signal,
      onMessage: () => true,
    });
  // On a busy machine the handshake alone may take this long; the caller sees the same error.
  await assert.rejects(request(), ZmqTimeoutError);
  const cancel = new AbortController();
  const cancelled = request(cancel.signal);
  cancel.abort(new Error('enough'));
  await assert.rejects(cancelled, /enough/);
  await router.close();
});

test('a request to a peer that accepts the connection and sends nothing fails with a timeout', async (t) => {
  const silent = createServer();
  silent.listen(0, '127.0.0.1');
  await once(silent, 'listening');
  const sockets: Socket[] = [];
  silent.on('connection', (socket) => sockets.push(socket));
  t.after(() => {
    for (const socket of sockets) socket.destroy();
    silent.close();
  });
  const { port } = silent.address() as AddressInfo;
  const endpoint = `tcp://127.0.0.1:${port}`;
  const frames = [bytes('?')];
  await assert.rejects(
    dealerRequest({ endpoint, frames, timeoutMs: 30, onMessage: () => true }),
    ZmqTimeoutError,
  );
});

test('a peer that violates the protocol is disconnected, and the others stay', async () => {
  const publisher = await PublisherSocket.open({
    endpoint: local,
    limits: { handshakeTimeoutMs: 40, frameBytesMax: 1000, messageFramesMax: 3 },
  });
  const ready = encodeReady('SUB');
  const greeting = encodeGreeting();
  const curve = encodeGreeting();
  curve.set(bytes('CURVE'), 12);
  const sent: Record<string, (string | Uint8Array)[]> = {
    'HTTP request': [`GET / HTTP/1.1\r\nhost: x\r\n${'a: b\r\n'.repeat(10)}\r\n`],
    'ZMTP 2 greeting': [greeting.with(10, 1)],
    'security mechanism': [curve],
    'wrong socket type': [greeting, encodeReady('PUB')],
    'message before READY': [greeting, encodeMessage([bytes('x')])],
    'command without a name': [greeting, Uint8Array.of(4, 1, 0)],
    'metadata cut short': [greeting, command('READY', '\x0bSocket-Type\0\0\0\x09SUB')],
    'unknown flags': [greeting, ready, Uint8Array.of(0x80, 0)],
    'frame too long': [greeting, ready, Uint8Array.of(2, 0xff, 0, 0, 0, 0, 0, 0, 1)],
    'too many frames': [greeting, ready, Uint8Array.of(1, 0, 1, 0, 1, 0, 1, 0)],
    silence: [],
    'half a greeting': [greeting.subarray(0, 11)],
  };
  await Promise.all(
    Object.entries(sent).map(async ([what, parts]) => {
      const { hostname, port } = new URL(publisher.endpoint);
      const socket = connect({ host: hostname, port: Number(port) });
      for (const part of parts) socket.write(part);
      socket.on('error', () => {});
      socket.resume();
      await once(socket, 'close');
      assert.equal(publisher.subscribers, 0, what);
    }),
  );
  await publisher.close();
});

test('a request to a peer that is not a ZeroMQ socket fails with an error that says so', async () => {
  const server = createServer((socket) => {
    socket.on('error', () => {});
    socket.end(`HTTP/1.1 400 Bad Request\r\n${'x: y\r\n'.repeat(10)}\r\n`);
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  const request = dealerRequest({
    endpoint: `tcp://127.0.0.1:${typeof address === 'object' ? address?.port : 0}`,
    frames: [bytes('')],
    timeoutMs: 2000,
    onMessage: () => true,
  });
  await assert.rejects(request, ZmtpError);
  server.close();
});

test('frames do not depend on how the stream is split', () => {
  const stream = Buffer.concat([
    encodeMessage([bytes('a'), bytes(''), new Uint8Array(300).fill(7)]),
    encodeMessage([bytes('b')]),
  ]);
  for (const size of [1, 2, 3, 7, 64, stream.length]) {
    const decoder = new FrameDecoder(1000);
    const lengths: string[] = [];
    for (let at = 0; at < stream.length; at += size) {
      decoder.push(stream.subarray(at, at + size));
      for (let frame = decoder.next(); frame; frame = decoder.next()) {
        lengths.push(`${frame.body.length}${frame.more ? '+' : ''}`);
      }
    }
    assert.deepEqual(lengths, ['1+', '0+', '300', '1']);
  }
});

test('endpoints are parsed and formatted as in ZeroMQ; others are refused in one sentence', () => {
  for (const text of ['tcp://*:5557', 'tcp://10.0.0.1:0', 'tcp://[::1]:80', 'ipc:///tmp/x.sock']) {
    assert.equal(formatZmqEndpoint(parseZmqEndpoint(text)), text);
  }
  for (const text of ['inproc://x', 'tcp://host', 'tcp://:5', 'tcp://h:99999', 'http://h:1']) {
    assert.throws(() => parseZmqEndpoint(text), InputError);
  }
});

test('the error of a port in use says so', async () => {
  const first = await PublisherSocket.open({ endpoint: local });
  await assert.rejects(
    PublisherSocket.open({ endpoint: first.endpoint }),
    /^InputError: tcp:\/\/127\.0\.0\.1:\d+ is in use; stop the program that listens there/,
  );
  await first.close();
});

/** A socket that has sent its greeting; the test sends the rest. */
async function rawPeer(endpoint: string): Promise<Socket> {
  const { hostname, port } = new URL(endpoint);
  const socket = connect({ host: hostname, port: Number(port) });
  socket.on('error', () => {});
  await once(socket, 'connect');
  socket.write(encodeGreeting());
  return socket;
}

function command(name: string, data: string): Uint8Array {
  const body = [name.length, ...bytes(name), ...bytes(data)];
  return Uint8Array.from([4, body.length, ...body]);
}

function bytes(text: string): Uint8Array {
  return Uint8Array.from(Buffer.from(text, 'latin1'));
}

/** Resolves once `condition` holds. */
async function until(condition: () => boolean): Promise<void> {
  const deadline = performance.now() + 10_000;
  while (!condition()) {
    assert.ok(performance.now() < deadline, 'the condition did not hold within 10 s');
    await new Promise((resolve) => setImmediate(resolve));
  }
}

test('a frame that arrives byte by byte costs memory for its bytes', () => {
  const frame = Buffer.concat([
    Buffer.from([2, 0, 0, 0, 0, 0, 0x06, 0x1a, 0x80]),
    Buffer.alloc(400_000, 'abc'),
  ]);
  const decoder = new FrameDecoder(2_000_000);
  const before = process.memoryUsage();
  for (const byte of frame) decoder.push(Uint8Array.of(byte));
  setFlagsFromString('--expose-gc');
  runInNewContext('gc')();
  const { heapUsed, arrayBuffers } = process.memoryUsage();
  const grown = heapUsed + arrayBuffers - before.heapUsed - before.arrayBuffers;
  assert.ok(Buffer.from(decoder.next()?.body ?? []).equals(frame.subarray(9)));
  assert.ok(grown < 10_000_000, `${grown} bytes for 400,000`);
});
