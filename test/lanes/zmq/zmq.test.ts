// Our ZeroMQ sockets with libzmq, in both directions. Run by scripts/lane.sh zmq.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { type TestContext, test } from 'node:test';
import type { KvEvent } from '../../../src/core/protocol/index.ts';
import { defaultKvEventsConfig } from '../../../src/core/vllm-config/index.ts';
import { KvEventPublisher, KvEventSource } from '../../../src/io/kv-events/index.ts';
import {
  dealerRequest,
  openRouterSocket,
  PublisherSocket,
  SubscriberSocket,
} from '../../../src/io/zmq/index.ts';

const cleared: KvEvent[] = [{ type: 'AllBlocksCleared' }];
const long = 'ab'.repeat(300_000);
const local = 'tcp://127.0.0.1:0';
const loopback = 'tcp://127.0.0.1:*';

test('libzmq receives from our publisher: topics, empty and long frames, order', async (t) => {
  const publisher = await PublisherSocket.open({ endpoint: local, highWaterMark: 0 });
  t.after(() => publisher.close());
  const subscriber = await puppet(t, { open: 'SUB', connect: publisher.endpoint });
  await subscriber({ subscribe: 'kv@' });
  await until(() => publisher.subscribers === 1);
  publisher.send([text('other'), text('x')]);
  for (let i = 0; i < 500; i++) publisher.send([text('kv@a'), hex(''), text(`${i}`)]);
  publisher.send([text('kv@b'), hex(long)]);
  for (let i = 0; i < 500; i++) {
    const { frames } = await subscriber({ receive: 5000 });
    assert.deepEqual(frames, [asHex('kv@a'), '', asHex(`${i}`)]);
  }
  assert.deepEqual((await subscriber({ receive: 5000 })).frames, [asHex('kv@b'), long]);
  await subscriber({ unsubscribe: 'kv@' });
  await until(() => publisher.subscribers === 0);
});

test('our subscriber receives from libzmq: topics, empty and long frames, order', async (t) => {
  const publisher = await puppet(t, { open: 'XPUB', bind: loopback });
  const received: string[][] = [];
  const subscriber = new SubscriberSocket({
    endpoint: publisher.endpoint,
    topic: 'kv@',
    onMessage: (frames) => received.push(frames.map((frame) => Buffer.from(frame).toString('hex'))),
  });
  t.after(() => subscriber.close());
  // An XPUB returns the subscription as it arrived: 1 and the topic.
  assert.deepEqual((await publisher({ receive: 5000 })).frames, [`01${asHex('kv@')}`]);
  await publisher({ send: [asHex('other'), asHex('x')] });
  for (let i = 0; i < 500; i++) await publisher({ send: [asHex('kv@a'), '', asHex(`${i}`)] });
  await publisher({ send: [asHex('kv@b'), long] });
  await until(() => received.length === 501);
  assert.deepEqual(received[499], [asHex('kv@a'), '', asHex('499')]);
  assert.deepEqual(received[500], [asHex('kv@b'), long]);
});

test("replies to libzmq's heartbeats, so that it keeps the connection", async (t) => {
  const options = { HEARTBEAT_IVL: 50, HEARTBEAT_TIMEOUT: 150 };
  const publisher = await PublisherSocket.open({ endpoint: local });
  t.after(() => publisher.close());
  const subscriber = await puppet(t, { open: 'SUB', connect: publisher.endpoint, options });
  await subscriber({ subscribe: '' });
  await until(() => publisher.subscribers === 1);
  let gone = false;
  for (let i = 0; i < 10; i++) {
    assert.equal((await subscriber({ receive: 100 })).frames, null);
    gone ||= publisher.subscribers !== 1;
  }
  assert.equal(gone, false);
  publisher.send([text('still here')]);
  assert.deepEqual((await subscriber({ receive: 5000 })).frames, [asHex('still here')]);
});

test('a dealer of libzmq gets a replay from our publisher as from vLLM', async (t) => {
  const publisher = await KvEventPublisher.open({
    ...defaultKvEventsConfig,
    enable_kv_cache_events: true,
    publisher: 'zmq',
    endpoint: 'tcp://*:0',
    replay_endpoint: local,
    topic: 'kv@host@model',
  });
  t.after(() => publisher.close());
  for (let step = 0; step < 300; step++) publisher.publish(cleared, step);
  const connect = publisher.config.replay_endpoint ?? '';
  const dealer = await puppet(t, { open: 'DEALER', connect });
  await dealer({ send: ['', '0000000000000002'] });
  for (let step = 2; step < 300; step++) {
    const { frames } = await dealer({ receive: 5000 });
    assert.deepEqual(frames?.slice(0, 2), ['', asHex('kv@host@model')]);
    assert.equal(frames?.[2], step.toString(16).padStart(16, '0'));
    assert.equal(frames?.length, 4);
  }
  const end = ['', '', 'ffffffffffffffff', ''];
  assert.deepEqual((await dealer({ receive: 5000 })).frames, end);
});

test('our dealer and a router of libzmq exchange messages', async (t) => {
  const router = await puppet(t, { open: 'ROUTER', bind: loopback });
  const answers: string[] = [];
  const request = dealerRequest({
    endpoint: router.endpoint,
    frames: [hex(''), text('from 7')],
    timeoutMs: 5000,
    onMessage: ([, answer]) => answers.push(Buffer.from(answer ?? []).toString()) === 2,
  });
  const { frames } = await router({ receive: 5000 });
  assert.deepEqual(frames?.slice(1), ['', asHex('from 7')]);
  const [identity = ''] = frames ?? [];
  await router({ send: [identity, '', asHex('first')] });
  await router({ send: [identity, '', asHex('second')] });
  await request;
  assert.deepEqual(answers, ['first', 'second']);
});

test('a REQ of libzmq is served by our router', async (t) => {
  const router = await openRouterSocket({
    endpoint: local,
    onMessage: (peer, [delimiter = hex(''), body = hex('')]) => {
      peer.send([delimiter, text(`${Buffer.from(body)}!`)]);
    },
  });
  t.after(() => router.close());
  const client = await puppet(t, { open: 'REQ', connect: router.endpoint });
  for (const word of ['one', 'two']) {
    await client({ send: [asHex(word)] });
    assert.deepEqual((await client({ receive: 5000 })).frames, [asHex(`${word}!`)]);
  }
});

test('each side reconnects after a restart of the other', async (t) => {
  let ours = await PublisherSocket.open({ endpoint: local });
  const { endpoint } = ours;
  const theirs = await puppet(t, {
    open: 'SUB',
    connect: endpoint,
    options: { RECONNECT_IVL: 20 },
  });
  await theirs({ subscribe: '' });
  await until(() => ours.subscribers === 1);
  await ours.close();
  ours = await PublisherSocket.open({ endpoint });
  t.after(() => ours.close());
  // libzmq resubscribes in the thread that waits for messages.
  const received = theirs({ receive: 5000 });
  await until(() => ours.subscribers === 1);
  ours.send([text('again')]);
  assert.deepEqual((await received).frames, [asHex('again')]);

  const publisher = await puppet(t, { open: 'XPUB', bind: loopback });
  const subscriber = new SubscriberSocket({
    endpoint: publisher.endpoint,
    reconnectMs: 10,
    onMessage: () => {},
  });
  t.after(() => subscriber.close());
  await until(() => subscriber.connected);
  await publisher({ close: true });
  await until(() => !subscriber.connected);
  await publisher({ open: 'XPUB', bind: publisher.endpoint });
  await until(() => subscriber.connected);
  assert.deepEqual((await publisher({ receive: 5000 })).frames, ['01']);
});

test('a source follows the events of a libzmq publisher without a replay endpoint', async (t) => {
  const publisher = await puppet(t, { open: 'XPUB', bind: loopback });
  const times: number[] = [];
  const source = new KvEventSource({
    endpoint: publisher.endpoint,
    onBatch: ({ timestampSeconds }) => times.push(timestampSeconds),
    onReset: () => times.push(-1),
  });
  t.after(() => source.close());
  await publisher({ receive: 5000 });
  // [1.5, [{"type": "AllBlocksCleared"}], 0], as vLLM 0.32.0 writes it.
  const payload = '93cb3ff80000000000009181a474797065b0416c6c426c6f636b73436c656172656400';
  await publisher({ send: ['', '0000000000000005', payload] });
  await until(() => times.length === 1);
  assert.deepEqual(times, [1.5]);
  assert.equal(source.state.nextSequence, 6);
});

interface Answer {
  readonly frames?: readonly string[] | null;
  readonly endpoint?: string;
}

/** A libzmq socket in a separate Python process. */
async function puppet(t: TestContext, opening: object) {
  const child = spawn(process.env['LANE_PYTHON'] ?? 'python3', [
    join(import.meta.dirname, 'puppet.py'),
  ]);
  child.stderr.pipe(process.stderr);
  t.after(() => child.kill());
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  const command = async (request: object): Promise<Answer> => {
    child.stdin.write(`${JSON.stringify(request)}\n`);
    const { value } = await lines.next();
    return JSON.parse(value ?? '{}');
  };
  const { endpoint = '' } = await command(opening);
  return Object.assign(command, { endpoint });
}

function hex(value: string): Uint8Array {
  return Uint8Array.from(Buffer.from(value, 'hex'));
}

function text(value: string): Uint8Array {
  return Uint8Array.from(Buffer.from(value));
}

function asHex(value: string): string {
  return Buffer.from(value).toString('hex');
}

/** Resolves once `condition` holds. */
async function until(condition: () => boolean): Promise<void> {
  const deadline = performance.now() + 10_000;
  while (!condition()) {
    assert.ok(performance.now() < deadline, 'the condition did not hold within 10 s');
    await new Promise((resolve) => setTimeout(resolve, 2));
  }
}
