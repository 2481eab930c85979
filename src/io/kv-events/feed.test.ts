import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer } from 'node:http';
import { test } from 'node:test';
import { createBlockHasher, KvEventLog, KvIndex, KvSequence } from '../../core/kv/index.ts';
import type { KvEvent } from '../../core/protocol/index.ts';
import { defaultKvEventsConfig } from '../../core/vllm-config/index.ts';
import { KvIndexFeed } from './feed.ts';
import { KvEventPublisher } from './publisher.ts';

const prompt = Uint32Array.from({ length: 64 }, (_, i) => i);

test('the index learns the blocks of an engine, earlier ones too, and forgets them with the engine', async () => {
  const engine = await startEngine();
  engine.publisher.publish(storedBlocks(2), 1);
  const index = new KvIndex();
  const feed = new KvIndexFeed(index, { discoverMs: 20 });
  const held = (): number => index.match(prompt, {}, [engine.url])[0] ?? 0;
  feed.follow(engine.url);
  feed.follow(engine.url);
  await until(() => held() === 32);
  engine.publisher.publish(storedBlocks(4), 2);
  await until(() => held() === 64);
  const state = feed.state.get(engine.url);
  assert.deepEqual([state?.problem, state?.knowledge], [undefined, 'exact']);
  assert.deepEqual(
    state?.sources.map(({ connected, batches }) => ({ connected, batches })),
    [{ connected: true, batches: 2 }],
  );
  await feed.unfollow(engine.url);
  assert.deepEqual([held(), index.hasLiveStream], [0, false]);
  await engine.stop();
});

test('an engine that leaves and comes back at once is followed again', async () => {
  const engine = await startEngine();
  engine.publisher.publish(storedBlocks(2), 1);
  const index = new KvIndex();
  const feed = new KvIndexFeed(index, { discoverMs: 20 });
  const held = (): number => index.match(prompt, {}, [engine.url])[0] ?? 0;
  feed.follow(engine.url);
  await until(() => held() === 32);
  const left = feed.unfollow(engine.url);
  feed.follow(engine.url);
  await left;
  assert.equal(index.stats.engines, 1);
  await until(() => held() === 32);
  assert.equal(index.knowledgeOf(engine.url), 'exact');
  await feed.close();
  await engine.stop();
});

test('an engine that restarts on other ports is found again, and its old blocks are removed', async () => {
  const engine = await startEngine();
  const index = new KvIndex();
  const feed = new KvIndexFeed(index, { discoverMs: 10 });
  const held = (): number => index.match(prompt, {}, [engine.url])[0] ?? 0;
  engine.publisher.publish(storedBlocks(4), 1);
  feed.follow(engine.url);
  await until(() => held() === 64);
  await engine.restart();
  engine.publisher.publish(storedBlocks(1), 2);
  await until(() => held() === 16);
  await feed.close();
  await engine.stop();
});

test('does not query an engine whose endpoints are known', async () => {
  const engine = await startEngine();
  const index = new KvIndex();
  const feed = new KvIndexFeed(index);
  engine.answer = () => ({ status: 404, body: '' });
  const { endpoint, replay_endpoint } = engine.publisher.config;
  const replayEndpoint = replay_endpoint ?? undefined;
  feed.follow(engine.url, [{ rank: 0, endpoint, replayEndpoint, topic: '' }]);
  engine.publisher.publish(storedBlocks(4), 1);
  await until(() => index.match(prompt, {}, [engine.url])[0] === 64);
  await feed.close();
  await engine.stop();
});

test('an engine without events is reported, and one that cannot be reached is queried again', async () => {
  const engine = await startEngine();
  const index = new KvIndex();
  const feed = new KvIndexFeed(index, { discoverMs: 10 });
  engine.answer = () => ({ status: 404, body: '{"detail":"Not Found"}' });
  feed.follow(engine.url);
  await until(() => feed.state.get(engine.url)?.problem?.endsWith('returned 404') ?? false);
  engine.answer = () => ({ status: 200, body: '{}' });
  await until(() => feed.state.get(engine.url)?.problem === 'it publishes no KV events');
  engine.answer = undefined;
  await until(() => feed.state.get(engine.url)?.sources[0]?.connected ?? false);
  await feed.close();
  await engine.stop();
});

test('an engine that requires credentials is queried with those of the moment', async () => {
  const engine = await startEngine();
  engine.publisher.publish(storedBlocks(2), 1);
  const index = new KvIndex();
  const feed = new KvIndexFeed(index, { discoverMs: 10 });
  engine.answer = (authorization) =>
    authorization === 'Basic b2s=' ? undefined : { status: 401, body: '' };
  let authorization: string | undefined;
  feed.follow(engine.url, undefined, () => authorization);
  await until(() => feed.state.get(engine.url)?.problem?.endsWith('returned 401') ?? false);
  authorization = 'Basic b2s=';
  await until(() => index.match(prompt, {}, [engine.url])[0] === 32);
  await feed.close();
  await engine.stop();
});

/** The relevant part of an engine: its events, and the route that says where they are. */
async function startEngine() {
  const config = {
    ...defaultKvEventsConfig,
    enable_kv_cache_events: true,
    publisher: 'zmq' as const,
    endpoint: 'tcp://*:0',
    replay_endpoint: 'tcp://*:0',
  };
  const server = createServer((request, response) => {
    const { status, body } = engine.answer?.(request.headers.authorization) ?? {
      status: 200,
      body: JSON.stringify({ '0': engine.publisher.config }),
    };
    response.writeHead(status, { 'content-type': 'application/json', connection: 'close' });
    response.end(body);
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  const engine = {
    url: `http://127.0.0.1:${typeof address === 'object' ? address?.port : 0}`,
    publisher: await KvEventPublisher.open(config),
    answer: undefined as
      | ((authorization?: string) => { status: number; body: string } | undefined)
      | undefined,
    restart: async () => {
      const before = engine.publisher;
      engine.publisher = await KvEventPublisher.open(config);
      await before.close();
    },
    stop: async () => {
      await engine.publisher.close();
      await new Promise((resolve) => server.close(resolve));
    },
  };
  return engine;
}

function storedBlocks(count: number): readonly KvEvent[] {
  const log = new KvEventLog();
  log.blocksStored(new KvSequence(createBlockHasher(), 16, prompt), 0, count);
  return log.take();
}

/** Resolves once `condition` holds. */
async function until(condition: () => boolean): Promise<void> {
  const deadline = performance.now() + 10_000;
  while (!condition()) {
    assert.ok(performance.now() < deadline, 'the condition did not hold within 10 s');
    await new Promise((resolve) => setImmediate(resolve));
  }
}
