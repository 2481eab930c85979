import assert from 'node:assert/strict';
import { test } from 'node:test';
import { cuttableLine } from '../../../test/support/cuttable-line.ts';
import type { KvKnowledge } from '../../core/kv/index.ts';
import { encodeKvEventBatch, type KvEvent } from '../../core/protocol/index.ts';
import { defaultKvEventsConfig, type KvEventsConfig } from '../../core/vllm-config/index.ts';
import { openRouterSocket, PublisherSocket } from '../zmq/index.ts';
import { KvEventPublisher } from './publisher.ts';
import { sequenceBytes } from './sequence.ts';
import { KvEventSource } from './source.ts';

const cleared: KvEvent[] = [{ type: 'AllBlocksCleared' }];

test('a late subscriber gets all batches from the start, then live ones, each once', async () => {
  const publisher = await open();
  publish(publisher, 1, 2, 3);
  const { source, received } = follow(publisher);
  await until(() => received.length === 3 && publisher.subscribers === 1);
  publish(publisher, 4);
  await until(() => received.length === 4);
  assert.deepEqual(received, [1, 2, 3, 4]);
  assert.deepEqual([source.state.lostBatches, source.state.knowledge], [0, 'exact']);
  await Promise.all([source.close(), publisher.close()]);
});

test('a lost batch is replayed in order, and a duplicated one is applied once', async () => {
  const publisher = await open();
  const { source, received } = follow(publisher);
  await settled(source, publisher);
  publish(publisher, 1);
  publisher.publish(cleared, 2, 'lost');
  publisher.publish(cleared, 3, 'lost');
  publish(publisher, 4);
  await until(() => received.length === 4);
  publisher.publish(cleared, 5, 'twice');
  publish(publisher, 6);
  await until(() => received.length === 6);
  assert.deepEqual(received, [1, 2, 3, 4, 5, 6]);
  const { gaps, lostBatches, duplicates, resets, nextSequence } = source.state;
  assert.deepEqual(
    { gaps, lostBatches, duplicates, resets, nextSequence },
    { gaps: 1, lostBatches: 0, duplicates: 1, resets: 0, nextSequence: 6 },
  );
  await Promise.all([source.close(), publisher.close()]);
});

test('a replay whose numbers jump back applies no batch twice, and counts no loss below zero', async (t) => {
  const batch = encodeKvEventBatch({ timestampSeconds: 1, events: cleared, dataParallelRank: 0 });
  const end = sequenceBytes(0).fill(0xff);
  const numbers = [5, 3, 4, 5, 6];
  const replay = await openRouterSocket({
    endpoint: 'tcp://127.0.0.1:0',
    onMessage: (peer) => {
      for (const number of numbers) peer.reply([new Uint8Array(), sequenceBytes(number), batch]);
      peer.reply([new Uint8Array(), end, new Uint8Array()]);
    },
  });
  const publisher = await PublisherSocket.open({ endpoint: 'tcp://127.0.0.1:0' });
  let batches = 0;
  const source = new KvEventSource({
    ...{ endpoint: publisher.endpoint, replayEndpoint: replay.endpoint },
    ...{ onBatch: () => batches++, onReset: () => {} },
  });
  t.after(() => Promise.all([source.close(), publisher.close(), replay.close()]));
  await until(() => source.state.nextSequence === 7);
  assert.deepEqual([batches, source.state.lostBatches], [2, 5]);
});

test('a restarted engine is recognised by its numbers, even if they exceed those before', async () => {
  for (const newLife of [[11], [11, 12, 13, 14]]) {
    let publisher = await open();
    const { endpoint, replay_endpoint } = publisher.config;
    const { source, received } = follow(publisher);
    await settled(source, publisher);
    publish(publisher, 1, 2);
    await until(() => received.length === 2);
    await publisher.close();
    await until(() => !source.state.connected);
    publisher = await open({ endpoint, replay_endpoint });
    publish(publisher, ...newLife);
    await until(() => received.length === 3 + newLife.length);
    assert.deepEqual(received, [1, 2, 'reset', ...newLife]);
    await Promise.all([source.close(), publisher.close()]);
  }
});

test('batches published while the connection was lost are replayed, without a reset', async () => {
  const publisher = await open();
  const line = await cuttableLine(publisher.config.endpoint);
  const { source, received, knowledge } = follow(publisher, { endpoint: line.endpoint });
  await settled(source, publisher);
  publish(publisher, 1);
  await until(() => received.length === 1);
  line.cut();
  await until(() => !source.state.connected && publisher.subscribers === 0);
  assert.equal(source.state.knowledge, 'none');
  publish(publisher, 2, 3);
  line.mend();
  await until(() => received.length === 3);
  assert.deepEqual(received, [1, 2, 3]);
  assert.equal(source.state.resets, 0);
  await until(() => source.state.knowledge === 'exact');
  assert.deepEqual(knowledge, ['none', 'exact', 'none', 'exact']);
  await source.close();
  await Promise.all([publisher.close(), line.close()]);
});

test('batches that the engine no longer keeps are counted, and the others are applied', async () => {
  const publisher = await open({ buffer_steps: 2 });
  publish(publisher, 1, 2, 3, 4, 5);
  const { source, received } = follow(publisher);
  await until(() => received.length === 2);
  assert.deepEqual(received, [4, 5]);
  assert.equal(source.state.lostBatches, 3);
  await until(() => source.state.knowledge === 'partial');
  await Promise.all([source.close(), publisher.close()]);
});

test('without a replay endpoint, gaps are counted and a restart is still noticed', async () => {
  let publisher = await open({ replay_endpoint: null });
  const { endpoint } = publisher.config;
  publish(publisher, 1);
  const { source, received } = follow(publisher);
  await until(() => publisher.subscribers === 1);
  publish(publisher, 2);
  publisher.publish(cleared, 3, 'lost');
  publish(publisher, 4);
  await until(() => received.length === 2);
  const { gaps, lostBatches, knowledge } = source.state;
  assert.deepEqual([gaps, lostBatches, knowledge], [1, 1, 'partial']);
  await publisher.close();
  publisher = await open({ endpoint, replay_endpoint: null });
  await until(() => publisher.subscribers === 1);
  publish(publisher, 11);
  await until(() => received.length === 4);
  assert.deepEqual(received, [2, 4, 'reset', 11]);
  assert.equal(source.state.knowledge, 'exact');
  await Promise.all([source.close(), publisher.close()]);
});

test('a failed replay is counted, and live batches continue', async () => {
  const publisher = await open();
  const dead = await open();
  await dead.close();
  const { source, received } = follow(publisher, {
    replayEndpoint: dead.config.replay_endpoint ?? '',
  });
  await until(() => source.state.failedReplays === 1 && publisher.subscribers === 1);
  publish(publisher, 1);
  await until(() => received.length === 1);
  assert.equal(source.state.knowledge, 'partial');
  await Promise.all([source.close(), publisher.close()]);
});

test('an unreadable payload is counted and skipped', async () => {
  const engine = await PublisherSocket.open({ endpoint: 'tcp://127.0.0.1:0' });
  const received: number[] = [];
  const source = new KvEventSource({
    endpoint: engine.endpoint,
    onBatch: ({ timestampSeconds }) => received.push(timestampSeconds),
    onReset: () => received.push(-1),
  });
  await until(() => engine.subscribers === 1);
  const topic = new Uint8Array();
  const number = (n: number): Uint8Array => Uint8Array.of(0, 0, 0, 0, 0, 0, 0, n);
  engine.send([topic, number(0), Uint8Array.of(0xc1)]);
  engine.send([topic, number(1)]);
  engine.send([topic, number(1), Uint8Array.of(0x92, 1, 0x90)]);
  await until(() => received.length === 1);
  assert.equal(source.state.formatErrors, 2);
  assert.deepEqual([source.state.batches, source.state.knowledge], [2, 'partial']);
  await Promise.all([source.close(), engine.close()]);
});

function open(config: Partial<KvEventsConfig> = {}): Promise<KvEventPublisher> {
  return KvEventPublisher.open({
    ...defaultKvEventsConfig,
    enable_kv_cache_events: true,
    publisher: 'zmq',
    endpoint: 'tcp://*:0',
    replay_endpoint: 'tcp://*:0',
    ...config,
  });
}

/** Batches are distinguished by their time stamps. */
function publish(publisher: KvEventPublisher, ...timestamps: number[]): void {
  for (const timestamp of timestamps) publisher.publish(cleared, timestamp);
}

function follow(
  publisher: KvEventPublisher,
  other: { endpoint?: string; replayEndpoint?: string } = {},
): { source: KvEventSource; received: (number | 'reset')[]; knowledge: KvKnowledge[] } {
  const received: (number | 'reset')[] = [];
  const knowledge: KvKnowledge[] = ['none'];
  const source = new KvEventSource({
    endpoint: publisher.config.endpoint,
    replayEndpoint: publisher.config.replay_endpoint ?? undefined,
    ...other,
    reconnectMs: 5,
    onBatch: ({ timestampSeconds }) => received.push(timestampSeconds),
    onReset: () => received.push('reset'),
    onKnowledge: (now) => knowledge.push(now),
  });
  return { source, received, knowledge };
}

/** Resolves when the source has subscribed and its first replay is over. */
async function settled(source: KvEventSource, publisher: KvEventPublisher): Promise<void> {
  await until(
    () => publisher.subscribers === 1 && source.state.connected && !source.state.replaying,
  );
}

/** Resolves once `condition` holds. */
async function until(condition: () => boolean): Promise<void> {
  const deadline = performance.now() + 10_000;
  while (!condition()) {
    assert.ok(performance.now() < deadline, 'the condition did not hold within 10 s');
    await new Promise((resolve) => setImmediate(resolve));
  }
}
