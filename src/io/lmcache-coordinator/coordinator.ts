// The coordinator of LMCache's multiprocess mode, over HTTP: its servers register, report what they have, and others ask
// who has a chunk.
import type { IncomingMessage, Server } from 'node:http';
import type { Clock } from '../../core/base/index.ts';
import {
  ChunkDirectory,
  type ChunkKey,
  kvRank,
  PinTable,
  Quotas,
} from '../../core/lmcache/index.ts';
import { type Answer, createJsonServer } from '../json-server/index.ts';
import { coordinatorRequests, type Lookup } from './coordinator-requests.ts';
import { type FleetState, fleetRoute } from './fleet-routes.ts';
import { PromptHashes } from './prompt-hashes.ts';
import { QuotaSweep } from './quota-sweep.ts';

/** How often silent servers are forgotten. */
const expiryMs = 5_000;
/** Keys that one listing returns. */
const keysMax = 10_000;

export interface Coordinator {
  readonly server: Server;
  /** What the servers have reported. */
  readonly directory: ChunkDirectory;
  close(): void;
}

/** @param wallClock Seconds since 1970. */
export function createCoordinator(wallClock: Clock): Coordinator {
  const directory = new ChunkDirectory();
  const state: FleetState = {
    directory,
    pins: new PinTable(),
    quotas: new Quotas(),
    hashes: new PromptHashes(),
  };
  const server = createJsonServer((request, body) =>
    route(state, wallClock.nowSeconds(), request, body),
  );
  const timer = setInterval(() => directory.expire(wallClock.nowSeconds()), expiryMs).unref();
  const sweep = new QuotaSweep(state);
  const close = () => {
    clearInterval(timer);
    sweep.close();
  };
  return { server, directory, close };
}

/** @throws {z.ZodError | SyntaxError} If the body is not what the route takes. */
async function route(
  state: FleetState,
  nowSeconds: number,
  { method = '', url: path = '', socket }: IncomingMessage,
  body: string,
): Promise<Answer> {
  const { directory } = state;
  const isGone = () => socket.destroyed;
  const url = new URL(path, 'http://coordinator');
  const { pathname, searchParams } = url;
  const ok = (value: unknown): Answer => ({ status: 200, body: value });
  const [, instanceId, rest] = /^\/instances\/([^/]+)(\/heartbeat)?$/.exec(pathname) ?? [];
  switch (`${method} ${pathname}`) {
    case 'GET /healthz':
      return ok({ status: 'ok' });
    case 'POST /instances': {
      const instance = coordinatorRequests.instance.parse(JSON.parse(body));
      const re_registered = directory.register(instance, nowSeconds);
      return ok({ instance_id: instance.instance_id, re_registered });
    }
    case 'GET /instances':
      return ok({
        instances: directory.instances.map(({ instance, registeredSeconds }) => ({
          ...instance,
          registration_time: registeredSeconds,
        })),
      });
    case 'GET /instances/usage':
      return ok(usage(directory));
    case 'POST /events':
      return ok(
        directory.apply(coordinatorRequests.events.parse(JSON.parse(body)).batches, nowSeconds),
      );
    case 'POST /directory/lookup':
      return ok(await lookup(state, coordinatorRequests.lookup.parse(JSON.parse(body)), isGone));
    case 'GET /directory/keys': {
      const limit = Math.min(keysMax, Number(searchParams.get('limit') ?? 100) || 0);
      const keys = directory.keys(limit).map(({ key: found, placements, accesses }) => ({
        ...{ key: found, placements, num_tokens: 0, access_count: accesses },
      }));
      return ok({ total: directory.stats.keys, keys });
    }
    case 'GET /directory/stats':
      return ok(stats(directory));
  }
  if (instanceId !== undefined) {
    const id = decodeURIComponent(instanceId);
    if (method === 'PUT' && rest !== undefined) {
      if (directory.heard(id, nowSeconds)) return ok({ instance_id: id });
      return { status: 404, body: { detail: `There is no instance ${id}; register it again.` } };
    }
    if (method === 'DELETE' && rest === undefined) {
      if (directory.remove(id)) return { status: 204 };
      return { status: 404, body: { detail: `There is no instance ${id}.` } };
    }
  }
  const answer = await fleetRoute(state, { method, url, body, isGone });
  return answer ?? { status: 404, body: { detail: 'Not Found' } };
}

/** By keys, or by the tokens of a prompt: the keys of rank 0 of each chunk. */
async function lookup({ directory, hashes }: FleetState, asked: Lookup, isGone: () => boolean) {
  const { keys, token_ids = [], model_name, world_size, cache_salt } = asked;
  const kv_rank = kvRank(world_size, 0);
  const wanted: readonly ChunkKey[] =
    keys ??
    (await hashes.of(token_ids, isGone)).map((chunk_hash_hex) => ({
      ...{ chunk_hash_hex, model_name, kv_rank, object_group_id: 0, cache_salt },
    }));
  const results = wanted.map((one) => {
    const { placements, accesses } = directory.find(one);
    return { key: one, placements, token_ids: [], access_count: accesses };
  });
  return { chunks: results.length, results };
}

function stats(directory: ChunkDirectory) {
  const { keys, placements, l1ByInstance, l1, l2 } = directory.stats;
  return {
    ...{ num_keys: keys, num_placements: placements, l1_keys_by_instance: l1ByInstance },
    ...{ l1_count: l1.count, l1_size_bytes: l1.bytes },
    ...{ l2_count: l2.count, l2_size_bytes: l2.bytes },
  };
}

function usage(directory: ChunkDirectory) {
  return {
    instances: directory.instances.map(({ instance: { instance_id } }) => {
      const modules = directory.usage(instance_id);
      return {
        ...{ instance_id, registered: true },
        declared_capacity: modules.some(({ capacityBytes }) => capacityBytes > 0),
        modules: modules.map(({ tier, backend, shared, usedBytes, capacityBytes }) => ({
          ...{ tier, backend, shared, used_bytes: usedBytes, capacity_bytes: capacityBytes },
          usage_ratio: capacityBytes > 0 ? usedBytes / capacityBytes : null,
        })),
      };
    }),
    shared_modules: [],
  };
}
