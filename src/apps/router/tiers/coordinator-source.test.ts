import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ChunkDirectory, chunkHashes, kvRank } from '../../../core/lmcache/index.ts';
import type { Endpoint, RoutingRequest } from '../../../core/routing/index.ts';
import { CoordinatorSource } from './coordinator-source.ts';

const load = { inflight: 0, prefilling: 0, prefillTokens: 0, decodeTokens: 0 };
const endpoints: Endpoint[] = ['10.0.0.1:8000', '10.0.0.1:8001', '10.0.0.2:8000'].map((host) => ({
  ...{ url: `http://${host}`, models: ['m'], load, reported: undefined },
}));
const tokens = Array.from({ length: 1100 }, (_, i) => 3 * i);
const hashes = chunkHashes(tokens);
const request: RoutingRequest = {
  ...{ id: 'r', model: 'm', session: undefined, prompt: [], promptTokens: tokens.length, tokens },
  ...{ outputTokensMax: undefined, stream: true },
};

/** Two servers, one per node; each report has chunks of one tier. */
function make(
  ...reports: readonly {
    readonly on: 1 | 2;
    readonly tier: 'l1' | 'l2';
    readonly shared?: boolean;
    readonly chunks: readonly number[];
    readonly model?: string;
  }[]
) {
  const directory = new ChunkDirectory();
  for (const on of [1, 2]) {
    directory.register(
      {
        ...{ instance_id: `node-${on}`, ip: `10.0.0.${on}`, http_port: 1 },
        ...{ metadata: {}, p2p_advertised_url: '', mq_port: 0 },
      },
      0,
    );
  }
  const batches = reports.map(({ on, tier, shared = false, chunks, model = 'm' }, seq) => ({
    ...{ instance_id: `node-${on}`, incarnation: 1, seq, event_type: 'store' as const },
    ...{ tier, backend: tier, shared, capacity_bytes: 0 },
    entries: chunks.map((chunk) => ({
      key: {
        ...{ chunk_hash_hex: hashes[chunk] as string, model_name: model, object_group_id: 0 },
        ...{ kv_rank: kvRank(2, 0), cache_salt: '' },
      },
      size_bytes: 100,
    })),
  }));
  directory.apply(batches, 0);
  return new CoordinatorSource(directory);
}

test('all engines of a node can load what its server has in memory', () => {
  const source = make({ on: 1, tier: 'l1', chunks: [0, 1] });
  const host = [{ tier: 'host', endTokens: 512 }];
  assert.deepEqual(source.match(request, endpoints), [host, host, []]);
  // The names of known chunks are reused, also for a longer prompt.
  assert.deepEqual(source.match(request, endpoints), [host, host, []]);
});

test('a shared store serves all nodes, a disk its own', () => {
  const source = make(
    { on: 1, tier: 'l1', chunks: [0] },
    { on: 1, tier: 'l2', shared: true, chunks: [0, 1] },
    { on: 2, tier: 'l2', chunks: [0, 1, 2] },
  );
  const host = { tier: 'host', endTokens: 256 };
  const store = { tier: 'store', endTokens: 512 };
  assert.deepEqual(source.match(request, endpoints), [
    [host, store],
    [host, store],
    [{ tier: 'disk', endTokens: 768 }],
  ]);
});

test('another model’s chunks, and an empty directory, say nothing', () => {
  const none = [[], [], []];
  assert.deepEqual(
    make({ on: 1, tier: 'l1', chunks: [0], model: 'other' }).match(request, endpoints),
    none,
  );
  assert.ok(!make().isLive);
  assert.deepEqual(make().match(request, endpoints), none);
});
