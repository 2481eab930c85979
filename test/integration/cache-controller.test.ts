// The controller: what LMCache 0.5.6 sent to its own gets the same replies, byte by byte.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { dealerRequest, openRouterSocket, PushSocket } from '../../src/io/zmq/index.ts';
import { testCache } from '../support/cache.ts';
import { until } from '../support/until.ts';

interface Recorded {
  readonly step: string;
  readonly channel: 'reply' | 'heartbeat' | 'pull' | 'worker' | 'http';
  readonly direction: 'worker->controller' | 'controller->worker';
  readonly frames: readonly string[];
  readonly decoded: readonly (Record<string, unknown> | null)[];
}

const recorded = readFileSync(join(import.meta.dirname, 'lmcache-wire/controller.jsonl'), 'utf8')
  .trim()
  .split('\n')
  .map((line) => JSON.parse(line) as Recorded);
const typesOf = ({ decoded }: Recorded) => decoded.map((message) => message?.type);
const framesOf = ({ frames }: Recorded) => frames.map((hex) => Buffer.from(hex, 'hex'));
const find = (type: string, nth = 0): Recorded => {
  const found = recorded.filter((one) => one.frames && typesOf(one).includes(type))[nth];
  return found ?? assert.fail(`${type} was not recorded ${nth + 1} times`);
};
const prompt = Array.from({ length: 600 }, (_, i) => i);

async function controller(t: TestContext) {
  const { urls } = await testCache(t, {
    controller: { port: 0, httpPort: 0, workerTimeoutSeconds: 300, hashSeed: 0 },
  });
  const at = (name: string) =>
    urls.find((url) => url.startsWith(`${name}=`))?.slice(name.length + 1) ?? '';
  const push = new PushSocket({ endpoint: at('controller') });
  t.after(() => push.close());
  await until(() => push.send([Buffer.from([0x80])]));
  return {
    heartbeatAt: at('controller-heartbeat'),
    push: (frames: readonly Uint8Array[]) => assert.ok(push.send(frames)),
    ask: async (channel: 'reply' | 'heartbeat', frames: readonly Uint8Array[]) => {
      let reply: string[] = [];
      await dealerRequest({
        ...{ endpoint: at(`controller-${channel}`), frames, timeoutMs: 5000 },
        onMessage: (got) => {
          reply = got.map((frame) => Buffer.from(frame).toString('hex'));
          return true;
        },
      });
      return reply;
    },
    http: async (request: string, body?: unknown) => {
      const [method = '', path = ''] = request.split(' ');
      const init = body === undefined ? {} : { body: JSON.stringify(body) };
      const response = await fetch(`${at('controller-http')}${path}`, { method, ...init });
      return { status: response.status, body: (await response.json()) as Record<string, unknown> };
    },
  };
}

type Connected = Awaited<ReturnType<typeof controller>>;

const layoutOf = async ({ http }: Connected, tokens = prompt) =>
  (await http('POST /lookup', { tokens })).body.layout_info;

/** Resolves once a lookup finds the two chunks of `engine-a`, or nothing. */
async function untilFound({ http }: Connected, isThere: boolean): Promise<void> {
  let keys = -1;
  await until(async () => {
    keys = Number((await http('GET /controller/key-stats')).body.total_key_count);
    return keys === (isThere ? 2 : 0);
  });
}

test('a worker registers, reports its chunks and leaves, and lookups follow', async (t) => {
  const connected = await controller(t);
  const [, registered = ''] = await connected.ask('reply', framesOf(find('RegisterMsg')));
  // The recorded one differs only in the address for heartbeats.
  const url = connected.heartbeatAt.replace('tcp://', '');
  const expected = find('RegisterRetMsg').frames[1] ?? '';
  const recordedUrl = Buffer.from('127.0.0.1:28082');
  const before = expected.slice(0, expected.indexOf(recordedUrl.toString('hex')) - 2);
  assert.equal(
    registered,
    before + Buffer.from([0xa0 + url.length, ...Buffer.from(url)]).toString('hex'),
  );
  assert.deepEqual(await layoutOf(connected), {});

  connected.push(framesOf(find('BatchedKVOperationMsg')));
  await untilFound(connected, true);
  assert.deepEqual(await layoutOf(connected), { 'engine-a': ['LocalCPUBackend', 512] });
  assert.deepEqual(await layoutOf(connected, prompt.slice(0, 300)), {
    'engine-a': ['LocalCPUBackend', 256],
  });
  assert.deepEqual(await layoutOf(connected, prompt.slice(0, 100)), {});
  assert.deepEqual(await layoutOf(connected, prompt.slice(1)), {});

  connected.push(framesOf(find('BatchedKVOperationMsg', 1)));
  await untilFound(connected, false);
  assert.deepEqual(await layoutOf(connected), {});

  connected.push(framesOf(find('DeRegisterMsg')));
  await until(async () => (await connected.http('GET /controller/workers')).body.total_count === 0);
});

test('after a restart of the controller, heartbeats bring the workers and all their chunks back', async (t) => {
  const connected = await controller(t);
  const heartbeat = framesOf(find('HeartbeatMsg'));
  const [, withCommand] = find('HeartbeatRetMsg').frames;
  assert.equal((await connected.ask('heartbeat', heartbeat))[1], withCommand);
  const [, withoutCommand] = find('HeartbeatRetMsg', 1).frames;
  assert.equal((await connected.ask('heartbeat', heartbeat))[1], withoutCommand);

  const accepted = await connected.ask('reply', framesOf(find('FullSyncStartMsg', 1)));
  assert.equal(accepted[1], find('FullSyncStartRetMsg', 1).frames[1]);
  connected.push(framesOf(find('FullSyncBatchMsg', 1)));
  await untilFound(connected, true);
  const status = await connected.ask('reply', framesOf(find('FullSyncStatusMsg', 1)));
  assert.equal(status[1], find('FullSyncStatusRetMsg', 1).frames[1]);
  assert.deepEqual(await layoutOf(connected), { 'engine-a': ['LocalCPUBackend', 512] });
  // Chunks without an address for peers are not offered to peers.
  const peers = await connected.ask('reply', framesOf(find('BatchedP2PLookupMsg')));
  assert.equal(peers[1], find('BatchedP2PLookupRetMsg').frames[1]);
});

test('orders reach the worker as LMCache sends them, and its replies come back', async (t) => {
  const connected = await controller(t);
  const seen: Record<string, unknown>[] = [];
  const worker = await openRouterSocket({
    endpoint: 'tcp://127.0.0.1:0',
    onMessage: (peer, [empty = new Uint8Array(), payload = new Uint8Array()]) => {
      const name = /([A-Za-z]+)WorkerMsg/.exec(Buffer.from(payload).toString('latin1'))?.[1];
      seen.push({ name, bytes: Buffer.from(payload) });
      const reply = name === 'Move' ? undefined : find(`${name}WorkerRetMsg`).frames[0];
      if (reply !== undefined) peer.send([empty, Buffer.from(reply, 'hex')]);
      else peer.fail(new Error('moves are not recorded'));
    },
  });
  t.after(() => worker.close());
  const [, payload = Buffer.alloc(0)] = framesOf(find('RegisterMsg'));
  const port = Number(worker.endpoint.split(':').at(-1));
  const local = Buffer.concat([
    payload.subarray(0, payload.indexOf('ip') + 2),
    Buffer.from([0xa9, ...Buffer.from('127.0.0.1'), 0xa4, ...Buffer.from('port'), 0xcd]),
    Buffer.from([port >> 8, port & 0xff]),
    payload.subarray(payload.indexOf('port') + 7),
  ]);
  await connected.ask('reply', [Buffer.alloc(0), local]);

  const location = 'LocalCPUBackend';
  const health = await connected.http('POST /health', { instance_id: 'engine-a' });
  assert.deepEqual(health.body.error_codes, { 0: 0 });
  const clear = await connected.http('POST /clear', { instance_id: 'engine-a', location });
  assert.equal(clear.body.num_tokens, 512);
  const pinned = { instance_id: 'engine-a', location, tokens: prompt };
  assert.equal((await connected.http('POST /pin', pinned)).body.num_tokens, 512);
  assert.deepEqual(
    seen.map(({ name }) => name),
    ['Health', 'Clear', 'Pin'],
  );
  // The recorded order differs only in the id of the event.
  const pin = framesOf(find('PinWorkerMsg'))[0] ?? Buffer.alloc(0);
  const sent = seen[2]?.bytes as Buffer;
  assert.equal(sent.length, pin.length);
  assert.deepEqual(sent.subarray(sent.indexOf('location')), pin.subarray(pin.indexOf('location')));

  const found = await connected.http('POST /query_instance', { event_id: 'e', ip: '127.0.0.1' });
  assert.equal(found.body.res, 'engine-a');
  const move = await connected.http('POST /move', {
    ...{ old_position: ['engine-a', location], new_position: ['engine-b', location] },
    ...{ tokens: prompt, should_copy: true },
  });
  assert.equal(move.status, 500);
  assert.match(String(move.body.detail), /Worker 0 of engine-b is not registered/);
  assert.deepEqual(
    (await connected.http('POST /health', { instance_id: 'x' })).body.error_codes,
    {},
  );
  assert.equal((await connected.http('POST /lookup', { tokens: 'x' })).status, 422);
  assert.equal((await connected.http('POST /check_finish', {})).status, 404);
});

test('what is no message gets an error, and the connection stays usable', async (t) => {
  const connected = await controller(t);
  const nonsense = find('ErrorMsg');
  const asked = recorded[recorded.indexOf(nonsense) - 1] as Recorded;
  assert.deepEqual((await connected.ask('reply', framesOf(asked)))[1], nonsense.frames[1]);
  for (const bytes of ['c1', '81', '81a474797065', '7b7d', '']) {
    const reply = await connected.ask('reply', [Buffer.alloc(0), Buffer.from(bytes, 'hex')]);
    assert.match(Buffer.from(reply[1] ?? '', 'hex').toString('latin1'), /ErrorMsg/, bytes);
  }
  connected.push([Buffer.from('c1', 'hex'), ...framesOf(find('BatchedKVOperationMsg'))]);
  assert.equal((await connected.http('GET /controller/workers')).body.total_count, 0);
});
