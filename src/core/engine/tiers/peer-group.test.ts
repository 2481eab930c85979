import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  ChunkStore,
  defaultEngineConfig,
  EngineModel,
  type EngineRequest,
  Lmcache,
  PeerGroup,
} from '../index.ts';

/** Blocks of 4 tokens, chunks of 2 blocks and 8 bytes; links of 8 bytes per second between engines and to the GPU. */
const group = () =>
  new PeerGroup({ chunkBytes: 8, link: { bytesPerSecond: 8 }, lookupSeconds: 0.5 });

function engineIn(
  peers: PeerGroup,
  index: number,
  { localChunks = 100, below = [] as ChunkStore[] } = {},
) {
  const store = peers.join(index);
  const connector = new Lmcache({
    blockSize: 4,
    config: {
      ...{ blocksPerChunk: 2, chunkBytes: 8, chunkBytesPerGpu: 8, localChunksMax: localChunks },
      ...{ link: { bytesPerSecond: 8 }, lookupSeconds: 0, stepSeconds: 0 },
    },
    stores: [store, ...below],
  });
  store.share(connector);
  const config = { blockSize: 4, numGpuBlocks: 9, maxModelLen: 32, maxNumBatchedTokens: 32 };
  const engine = new EngineModel({
    config: defaultEngineConfig({ ...config, maxNumSeqs: 8 }),
    cost: { stepSeconds: () => 1 },
    connector,
  });
  /** @returns When a prompt of 16 tokens has its first token. */
  const answer = (text: string, now: number): number => {
    engine.add(request(text, now));
    let end = now;
    for (let step = engine.schedule(now); step; step = engine.schedule(end)) {
      end = step.endSeconds;
      engine.complete(step, () => false);
    }
    return end;
  };
  return { connector, engine, answer };
}

let requests = 0;
function request(text: string, arrivalSeconds: number): EngineRequest {
  return {
    ...{ id: `${text} ${requests++}`, promptTokens: 16, maxTokens: 1, priority: 0, arrivalSeconds },
    blockKey: (index) => `${text}/${index}`,
  };
}

test('an engine reads what another one has in host memory, over the link between them', () => {
  const peers = group();
  const [a, b] = [engineIn(peers, 0), engineIn(peers, 1)];
  assert.equal(a.answer('x', 0), 3.5, '0.5 s of lookup, 1 s of work, 2 s to host memory');
  assert.equal(b.answer('x', 10), 15.5, '0.5 s of lookup, 2 s from a, 2 s to the GPU, 1 s of work');
  assert.equal(b.engine.stats.externalCacheHits, 15);
  assert.equal(b.connector.stats.stores.bytes, 0, 'nothing is kept in host memory');
  assert.equal(b.connector.stats.tiers[0]?.chunks, 0);
});

test('what is in nobody’s host memory is looked for below', () => {
  const peers = group();
  const link = { bytesPerSecond: 8 };
  const server = new ChunkStore({
    ...{ name: 'server', chunksMax: 100, chunkBytes: 8, read: link, write: link },
  });
  const a = engineIn(peers, 0, { localChunks: 2, below: [server] });
  const b = engineIn(peers, 1, { localChunks: 2, below: [server] });
  a.answer('x', 0);
  a.answer('y', 10);
  b.answer('x', 100);
  assert.equal(b.engine.stats.externalCacheHits, 15);
  assert.equal(b.connector.stats.tiers[0]?.chunks, 2, 'x came from the server, and is kept');
  b.answer('y', 200);
  assert.equal(b.engine.stats.externalCacheHits, 30);
  assert.ok(b.connector.holds('x/3'), 'y came from a, and is not');
});

test('a chunk that a peer reads counts as used there', () => {
  const peers = group();
  const a = engineIn(peers, 0, { localChunks: 4 });
  const b = engineIn(peers, 1);
  a.answer('x', 0);
  a.answer('y', 10);
  b.answer('x', 20);
  a.answer('z', 30);
  assert.ok(a.connector.holds('x/3'));
  assert.ok(!a.connector.holds('y/3'), 'y is now the oldest');
});

test('readers of one engine wait for each other; an engine that starts again has nothing to lend', () => {
  const peers = group();
  const [a, b, c] = [engineIn(peers, 0), engineIn(peers, 1), engineIn(peers, 2)];
  a.answer('x', 0);
  assert.equal(b.answer('x', 10), 15.5);
  assert.equal(c.answer('x', 10), 17.5, 'the transfer to b comes first');
  engineIn(peers, 0);
  const d = engineIn(peers, 3);
  d.answer('x', 40);
  assert.equal(d.engine.stats.externalCacheHits, 0);
});

test('a pinned chunk stays in host memory while others go, until its time is over', () => {
  const a = engineIn(group(), 0, { localChunks: 4 });
  a.answer('x', 0);
  assert.ok(a.connector.pin('x/1', 50) && a.connector.pin('x/3', 50));
  assert.ok(!a.connector.pin('z/1', 50), 'it is not there');
  a.answer('y', 10);
  a.answer('z', 20);
  assert.deepEqual(
    ['x/1', 'x/3', 'y/1', 'y/3', 'z/1', 'z/3'].filter((key) => a.connector.holds(key)),
    ['x/1', 'x/3', 'z/1', 'z/3'],
  );
  a.answer('v', 60);
  a.answer('w', 70);
  assert.ok(!a.connector.holds('x/1'));
  assert.equal(a.connector.clearLocal(), 4);
  assert.ok(!a.connector.holds('w/3'));
});
