// Engines whose KV events are no events: the picks of other engines, and clients, notice nothing.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { type TestContext, test } from 'node:test';
import { openRouterSocket, PublisherSocket } from '../../../src/io/zmq/index.ts';
import { startBystander, startTarget, until } from './target.ts';

/** Time on the processor that other requests may wait for one turn. */
const pauseMsMax = 250;
/** Compiling and collecting garbage, which a message may meet, are not its own work. */
const attemptsMax = 3;
const growthMiBMax = 256;
/** Log lines apart from those of requests: one per message would be a thousand. */
const linesMax = 60;

const bytesOf = (text: string) => Buffer.from(text, 'latin1');
const array = (items: number) => {
  const bytes = Buffer.alloc(5, 0xdd);
  bytes.writeUInt32BE(items, 1);
  return bytes;
};
const batchOf = (...events: Buffer[]) =>
  Buffer.concat([Buffer.from([0x92, 0xcb]), Buffer.alloc(8), ...events]);
const cleared = batchOf(array(1), bytesOf('\x91\xb0AllBlocksCleared'));
const times = (count: number, text: string) => bytesOf(text.repeat(count));
/** Below the largest message, so that it is read. */
const million = 1_000_000;
/** Items that a batch may have, less its own arrays. */
const most = 131_000;
const integer = (value: number) => {
  const bytes = Buffer.alloc(5, 0xce);
  bytes.writeUInt32BE(value, 1);
  return bytes;
};

const payloads: Readonly<Record<string, Buffer>> = {
  'no MessagePack': Buffer.alloc(million, 0xc1),
  nothing: Buffer.alloc(0),
  'ten million hashes': batchOf(
    array(1),
    bytesOf('\x92\xacBlockRemoved'),
    array(10 * million),
    Buffer.alloc(10 * million, 1),
  ),
  'three million events': batchOf(array(3 * million), times(3 * million, '\x91\xa1X')),
  'ten million extra keys': batchOf(
    ...[array(1), bytesOf('\x99\xabBlockStored\x90\xc0\x90\x10\xc0\xc0\xc0'), array(10 * million)],
    Buffer.alloc(10 * million, 0xc0),
  ),
  'ten million empty arrays': Buffer.concat([
    ...[Buffer.from([0x94, 0xcb]), Buffer.alloc(8), bytesOf('\x90\xc0'), array(10 * million)],
    Buffer.alloc(10 * million, 0x90),
  ]),
  'a map that is longer than its message': batchOf(array(1), bytesOf('\xdf\xff\xff\xff\xff')),
  'fifteen million token ids': batchOf(
    ...[array(1), bytesOf('\x95\xabBlockStored\x90\xc0'), array(15 * million)],
    ...[Buffer.alloc(15 * million, 1), bytesOf('\x10')],
  ),
  'as many token ids as a message may have': batchOf(
    ...[array(1), bytesOf('\x95\xabBlockStored\x90\xc0'), array(3 * million)],
    ...[Buffer.alloc(15 * million, Buffer.from([0xce, 0, 1, 2, 3])), bytesOf('\x10')],
  ),
  'as many blocks as a message may store': batchOf(
    ...[array(1), bytesOf('\x95\xabBlockStored'), array(most)],
    ...[Buffer.concat(Array.from({ length: most }, (_, i) => integer(i + 1))), bytesOf('\xc0')],
    ...[array(most), Buffer.alloc(most, 1), bytesOf('\x01')],
  ),
  'more than a message may have': Buffer.alloc(17 * million, 0x90),
};

test('messages that are no events, huge ones, numbers that jump, and other topics', async (t) => {
  const { publisher, url } = await startPublisher(t);
  const target = await startTarget(t, [], [url]);
  await until(() => publisher.subscribers > 0);
  let sequence = 1n;
  for (const [what, payload] of Object.entries(payloads)) {
    const before = await target.measure();
    let pauseMs = Number.POSITIVE_INFINITY;
    for (let i = 0; i < attemptsMax && pauseMs >= pauseMsMax; i++) {
      await until(() => publisher.subscribers > 0);
      publisher.send([bytesOf('kv-events'), number(sequence++), cleared]);
      const bystander = startBystander(target);
      publisher.send([bytesOf('kv-events'), number(sequence++), payload]);
      await new Promise((resolve) => setTimeout(resolve, 500));
      const { failures, served } = await bystander.stop();
      assert.deepEqual(failures, [], what);
      assert.ok(served > 0, what);
      const after = await target.measure();
      pauseMs = Math.min(pauseMs, after.longestPauseMs);
      assert.ok(
        after.peakRssMiB - before.rssMiB < growthMiBMax,
        `${what}: ${after.peakRssMiB - before.rssMiB} MiB`,
      );
    }
    t.diagnostic(`${pauseMs.toFixed(0)} ms: ${what}`);
    assert.ok(pauseMs < pauseMsMax, `${what}: a pause of ${pauseMs} ms`);
  }
  const empty = batchOf(array(0));
  const bystander = startBystander(target);
  for (let round = 0; round < 100; round++) {
    for (const at of [5n, 2n ** 63n, 0n, 2n ** 64n - 1n, 3n, 2n ** 53n + 1n, 4n]) {
      publisher.send([bytesOf(`topic ${round}`), number(at), empty]);
    }
    publisher.send([bytesOf('kv-events')]);
    publisher.send([bytesOf('kv-events'), Buffer.alloc(7), empty]);
    publisher.send(Array.from({ length: 64 }, () => empty));
    await new Promise(setImmediate);
  }
  await new Promise((resolve) => setTimeout(resolve, 500));
  const { failures } = await bystander.stop();
  assert.deepEqual(failures, []);
  const page = await (await fetch(`${target.adminUrl}/metrics`)).text();
  assert.deepEqual(page.match(/^(?!#|vllm:avg_).* (-\d|NaN).*$/gm) ?? [], []);
  const lines = target
    .log()
    .split('\n')
    .filter((line) => !line.includes('Routing request'));
  assert.ok(lines.length < linesMax, lines.join('\n'));
});

test('batches that wait for a replay that is never answered take a bounded part of memory', async (t) => {
  const mute = await openRouterSocket({ endpoint: 'tcp://127.0.0.1:0', onMessage: () => {} });
  t.after(() => mute.close());
  const { publisher, url } = await startPublisher(t, mute.endpoint);
  const target = await startTarget(t, [], [url]);
  await until(() => publisher.subscribers > 0);
  const before = await target.measure();
  const bystander = startBystander(target);
  // 600 MB within the 5 s for which a replay is waited for.
  for (let at = 1n; at <= 40n; at++) {
    publisher.send([bytesOf('kv-events'), number(at), Buffer.alloc(15 * million, 0xc1)]);
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  const { failures } = await bystander.stop();
  assert.deepEqual(failures, []);
  const after = await target.measure();
  assert.ok(
    after.peakRssMiB - before.rssMiB < growthMiBMax,
    `${after.peakRssMiB - before.rssMiB} MiB`,
  );
});

function number(sequence: bigint): Buffer {
  const bytes = Buffer.alloc(8);
  bytes.writeBigUInt64BE(sequence);
  return bytes;
}

/** An engine that announces events, and answers all else with as little as it can. */
async function startPublisher(t: TestContext, replay: string | null = null) {
  const publisher = await PublisherSocket.open({ endpoint: 'tcp://127.0.0.1:0' });
  const sources = {
    enable_kv_cache_events: true,
    ...{ publisher: 'zmq', endpoint: publisher.endpoint, replay_endpoint: replay, topic: '' },
  };
  const bodies: Readonly<Record<string, string>> = {
    '/v1/models': '{"object":"list","data":[{"id":"m","object":"model","owned_by":"vllm"}]}',
    '/kv_event_sources': JSON.stringify({ 0: sources }),
  };
  const server = createServer((request, response) => {
    request.resume().on('end', () => response.end(bodies[request.url ?? ''] ?? '{}'));
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.after(async () => {
    server.closeAllConnections();
    server.close();
    await publisher.close();
  });
  return { publisher, url: `http://127.0.0.1:${(server.address() as AddressInfo).port}` };
}
