import assert from 'node:assert/strict';
import { test } from 'node:test';
import { decodeKvEventBatch, type KvEvent } from '../../core/protocol/index.ts';
import { defaultKvEventsConfig, type KvEventsConfig } from '../../core/vllm-config/index.ts';
import { dealerRequest, SubscriberSocket } from '../zmq/index.ts';
import { KvEventPublisher } from './publisher.ts';

const config: KvEventsConfig = {
  ...defaultKvEventsConfig,
  enable_kv_cache_events: true,
  publisher: 'zmq',
  endpoint: 'tcp://*:0',
  replay_endpoint: 'tcp://127.0.0.1:0',
  buffer_steps: 3,
  topic: 'kv@host@model',
};
const cleared: KvEvent[] = [{ type: 'AllBlocksCleared' }];

test('sends a batch as topic, number and payload, and nothing for a step without events', async () => {
  const publisher = await KvEventPublisher.open(config, { dataParallelRank: 2 });
  const received: Buffer[][] = [];
  const subscriber = new SubscriberSocket({
    endpoint: publisher.config.endpoint,
    onMessage: (frames) => received.push(frames.map((frame) => Buffer.from(frame))),
  });
  await until(() => publisher.subscribers === 1);
  publisher.publish(cleared, 1.5);
  publisher.publish([], 2);
  publisher.publish(cleared, 2.5);
  await until(() => received.length === 2);
  assert.deepEqual(
    received.map(([topic, number]) => [topic?.toString(), number?.toString('hex')]),
    [
      ['kv@host@model', '0000000000000000'],
      ['kv@host@model', '0000000000000001'],
    ],
  );
  assert.deepEqual(decodeKvEventBatch(received[1]?.[2] ?? Buffer.alloc(0)), {
    timestampSeconds: 2.5,
    events: cleared,
    dataParallelRank: 2,
  });
  await Promise.all([subscriber.close(), publisher.close()]);
});

test('listens on a loopback endpoint, so that prompts need not leave the machine', async () => {
  for (const endpoint of ['tcp://127.0.0.1:0', 'tcp://localhost:0']) {
    const publisher = await KvEventPublisher.open({ ...config, endpoint });
    assert.doesNotMatch(publisher.config.endpoint, /:0$/);
    const subscriber = new SubscriberSocket({
      endpoint: publisher.config.endpoint,
      onMessage: () => {},
    });
    await until(() => publisher.subscribers === 1);
    await Promise.all([subscriber.close(), publisher.close()]);
  }
});

test('a replay sends the kept batches from a number on, and always the end', async () => {
  const publisher = await KvEventPublisher.open(config);
  for (let step = 0; step < 5; step++) publisher.publish(cleared, step);
  // Two of five batches have left the buffer of three.
  assert.deepEqual(await replayed(publisher, '0000000000000000'), [
    ['', 'kv@host@model', '0000000000000002'],
    ['', 'kv@host@model', '0000000000000003'],
    ['', 'kv@host@model', '0000000000000004'],
    ['', '', 'ffffffffffffffff'],
  ]);
  assert.equal((await replayed(publisher, '0000000000000004')).length, 2);
  // A start beyond the end, and one of another length, which vLLM still reads as an integer.
  for (const start of ['0000000000000083', 'ffffff']) {
    assert.deepEqual(await replayed(publisher, start), [['', '', 'ffffffffffffffff']]);
  }
  await publisher.close();
});

test('does not respond to a request of another shape, but to the next one', async () => {
  const publisher = await KvEventPublisher.open(config);
  publisher.publish(cleared, 1);
  const oneFrame = dealerRequest({
    endpoint: publisher.config.replay_endpoint ?? '',
    frames: [new Uint8Array(8)],
    timeoutMs: 30,
    onMessage: () => true,
  });
  await assert.rejects(oneFrame, /did not respond/);
  assert.equal((await replayed(publisher, '00')).length, 2);
  await publisher.close();
});

test('a lost batch can be replayed, and a duplicated one is sent twice with one number', async () => {
  const publisher = await KvEventPublisher.open(config);
  const received: string[] = [];
  const subscriber = new SubscriberSocket({
    endpoint: publisher.config.endpoint,
    onMessage: ([, number]) =>
      received.push(
        Buffer.from(number ?? [])
          .toString('hex')
          .slice(-2),
      ),
  });
  await until(() => publisher.subscribers === 1);
  publisher.publish(cleared, 1, 'lost');
  publisher.publish(cleared, 2, 'twice');
  await until(() => received.length === 2);
  assert.deepEqual(received, ['01', '01']);
  assert.equal((await replayed(publisher, '00')).length, 3);
  await Promise.all([subscriber.close(), publisher.close()]);
});

/** Returns the frames of each response except the payload, as text or hex. */
async function replayed(publisher: KvEventPublisher, startHex: string): Promise<string[][]> {
  const answers: string[][] = [];
  await dealerRequest({
    endpoint: publisher.config.replay_endpoint ?? '',
    frames: [new Uint8Array(), Uint8Array.from(Buffer.from(startHex, 'hex'))],
    timeoutMs: 2000,
    onMessage: ([delimiter = [], topic = [], number = []]) => {
      const text = [delimiter, topic].map((frame) => Buffer.from(frame).toString());
      answers.push([...text, Buffer.from(number).toString('hex')]);
      return answers.at(-1)?.[2] === 'f'.repeat(16);
    },
  });
  return answers;
}

/** Resolves once `condition` holds. */
async function until(condition: () => boolean): Promise<void> {
  const deadline = performance.now() + 10_000;
  while (!condition()) {
    assert.ok(performance.now() < deadline, 'the condition did not hold within 10 s');
    await new Promise((resolve) => setImmediate(resolve));
  }
}
