import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  decodeWorkerMessage,
  encodeLmcacheMessage,
  handlePushed,
  inProcessChunkHashes,
  noneHash,
  WorkerRegistry,
} from '../../../core/lmcache/index.ts';
import type { Endpoint, RoutingRequest } from '../../../core/routing/index.ts';
import { ControllerSource } from './controller-source.ts';

const load = { inflight: 0, prefilling: 0, prefillTokens: 0, decodeTokens: 0 };
const urls = ['http://10.0.0.1:8000', 'http://10.0.0.2:8000', 'http://10.0.0.3:8000'];
const endpoints: Endpoint[] = urls.map((url) => ({
  url,
  models: ['m'],
  load,
  reported: undefined,
}));
const tokens = Uint32Array.from({ length: 1100 }, (_, i) => 7 * i);
const hashes = inProcessChunkHashes(tokens, noneHash(123));
const request: RoutingRequest = {
  ...{ id: 'r', model: 'm', session: undefined, prompt: [], promptTokens: tokens.length, tokens },
  ...{ outputTokensMax: undefined, stream: true },
};

/** A controller whose workers have the addresses 10.0.0.1, 10.0.0.2, …, one per engine. */
function make(
  chunks: readonly { at: number; location: string; chunks: readonly number[] }[],
  withPeers: readonly number[] = [],
) {
  const registry = new WorkerRegistry();
  const push = (message: Parameters<typeof encodeLmcacheMessage>[0]) =>
    handlePushed(registry, decodeWorkerMessage(encodeLmcacheMessage(message)), 0);
  const sequences = new Map<string, number>();
  for (let i = 1; i <= 3; i++) {
    const peer_init_url = withPeers.includes(i) ? `10.0.0.${i}:8200` : null;
    push({
      ...{ type: 'RegisterMsg', instance_id: `i${i}`, worker_id: 0, ip: `10.0.0.${i}`, port: 1 },
      peer_init_url,
    });
  }
  for (const { at, location, chunks: which } of chunks) {
    const operations = which.map((chunk) => {
      const sequence = sequences.get(`${at}${location}`) ?? 0;
      sequences.set(`${at}${location}`, sequence + 1);
      return { op_type: 'admit', key: hashes[chunk] as bigint, seq_num: sequence };
    });
    push({
      ...{
        type: 'BatchedKVOperationMsg',
        instance_id: `i${at}`,
        worker_id: 0,
        location,
        operations,
      },
    });
  }
  const engines = urls.map((url, i) => ({ url, name: `engine-${i}` }));
  return new ControllerSource({
    ...{ registry, engines: () => engines, hashSeed: 123, nowSeconds: () => 0 },
  });
}

test('engines with P2P also have what is in the host memory of another one with P2P', () => {
  const held = [
    { at: 1, location: 'LocalCPUBackend', chunks: [0, 1] },
    { at: 2, location: 'LocalDiskBackend', chunks: [0] },
    { at: 3, location: 'LocalCPUBackend', chunks: [2] },
  ];
  const host = [{ tier: 'host', endTokens: 512 }];
  const peer = [{ tier: 'peer', endTokens: 512 }];
  assert.deepEqual(make(held, [1, 2]).match(request, endpoints), [host, peer, []]);
  assert.deepEqual(make(held, [1, 2, 3]).match(request, endpoints), [
    [...host, { tier: 'peer', endTokens: 768 }],
    [{ tier: 'peer', endTokens: 768 }],
    [...peer, { tier: 'host', endTokens: 768 }],
  ]);
});

test('each engine has what its own LMCache reported, by tier, up to the first gap', () => {
  const source = make([
    { at: 1, location: 'LocalCPUBackend', chunks: [0, 1, 3] },
    { at: 2, location: 'LocalCPUBackend', chunks: [1] },
    { at: 2, location: 'LocalDiskBackend', chunks: [0, 1, 2] },
  ]);
  assert.ok(source.isLive);
  assert.deepEqual(source.match(request, endpoints), [
    [{ tier: 'host', endTokens: 512 }],
    [
      { tier: 'disk', endTokens: 256 },
      { tier: 'host', endTokens: 512 },
      { tier: 'disk', endTokens: 768 },
    ],
    [],
  ]);
});

test('what one engine put into the shared store, all engines with LMCache can load', () => {
  const source = make([
    { at: 1, location: 'LocalCPUBackend', chunks: [0] },
    { at: 1, location: 'RemoteBackend', chunks: [0, 1] },
  ]);
  const store = [{ tier: 'store', endTokens: 512 }];
  const host = { tier: 'host', endTokens: 256 };
  assert.deepEqual(source.match(request, endpoints), [[host, ...store], store, store]);
  // An engine that the controller does not know has no LMCache.
  const other = { ...(endpoints[0] as Endpoint), url: 'http://10.0.0.9:8000' };
  assert.deepEqual(source.match(request, [other, endpoints[0] as Endpoint])[0], []);
});

test('an engine of another model says nothing about the store', () => {
  const source = make([{ at: 3, location: 'RemoteBackend', chunks: [0, 1] }]);
  assert.deepEqual(source.match(request, endpoints.slice(0, 2)), [[], []]);
});

test('unknown tiers count as nothing, and a registry without chunks is not asked', () => {
  const source = make([{ at: 1, location: 'PDBackend', chunks: [0] }]);
  assert.deepEqual(source.match(request, endpoints), [[], [], []]);
  assert.ok(!make([]).isLive);
});
