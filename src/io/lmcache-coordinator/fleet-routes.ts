// The coordinator's routes for operators: pins and quotas of the shared store, and orders to single servers.
import { InputError, type SpillwayError } from '../../core/base/index.ts';
import {
  type ChunkDirectory,
  type ChunkKey,
  kvRank,
  type PinTable,
  type Quotas,
} from '../../core/lmcache/index.ts';
import type { Answer } from '../json-server/index.ts';
import { coordinatorRequests, type KeysOfTokens } from './coordinator-requests.ts';
import type { PromptHashes } from './prompt-hashes.ts';
import { deleteObjects, ServerOrderError, serverRequest } from './server-orders.ts';

const gibibyte = 2 ** 30;
/** In paths, the tenant without a salt. */
const noSalt = '_default';
/** Of keys in all requests, too. */
const saltCharactersMax = 128;
const pinsPerPage = 1000;
const pinsPerPageMax = 10_000;

export interface FleetState {
  readonly directory: ChunkDirectory;
  readonly pins: PinTable;
  readonly quotas: Quotas;
  readonly hashes: PromptHashes;
}

/** A request to a route, and whether its client has left. */
interface FleetRequest {
  readonly method: string;
  readonly url: URL;
  readonly body: string;
  readonly isGone: () => boolean;
}

const ok = (body: unknown): Answer => ({ status: 200, body });
const refused = (status: number, detail: string): Answer => ({ status, body: { detail } });

/**
 * @returns Undefined for a path that is not about pins, quotas or orders.
 * @throws {z.ZodError | SyntaxError} If the body is not what the route takes.
 */
export async function fleetRoute(
  state: FleetState,
  request: FleetRequest,
): Promise<Answer | undefined> {
  try {
    return await operatorRoute(state, request);
  } catch (error) {
    // More quotas or pins than there may be.
    if (error instanceof InputError) return refused(400, error.message);
    throw error;
  }
}

async function operatorRoute(
  state: FleetState,
  request: FleetRequest,
): Promise<Answer | undefined> {
  const { method, url, body, isGone } = request;
  const { pathname, searchParams } = url;
  switch (`${method} ${pathname}`) {
    case 'POST /cache/pins':
    case 'DELETE /cache/pins': {
      const asked = coordinatorRequests.tokens.parse(JSON.parse(body));
      const { keys, chunks } = await keysOf(state, asked, isGone);
      if (method === 'POST') state.pins.pin(keys);
      else state.pins.unpin(keys);
      const status = method === 'POST' ? 'pinned' : 'unpinned';
      return ok({ requested: chunks, affected: keys.length, status });
    }
    case 'GET /cache/pins':
      return pinsPage(state.pins, searchParams);
    case 'POST /cache/delete':
      return await deleteTokens(state, body, isGone);
    case 'POST /cache/prefetches': {
      const { instance_id, ...tokens } = coordinatorRequests.prefetch.parse(JSON.parse(body));
      return await ordered(state, instance_id, async (server) => {
        const { body: reply } = await serverRequest(server, 'POST', '/cache/prefetches', tokens);
        const { request_id = '', chunks = 0, status = 'submitted' } = reply;
        return ok({ instance_id, request_id, chunks, status });
      });
    }
  }
  const [, id, job] = /^\/cache\/prefetches\/([^/]+)\/([^/]+)$/.exec(pathname) ?? [];
  if (method === 'GET' && id !== undefined && job !== undefined) {
    return await ordered(state, decodeURIComponent(id), async (server) => {
      const path = `/cache/prefetches/${job}`;
      const { status, body: reply } = await serverRequest(server, 'GET', path, undefined, true);
      return { status, body: reply };
    });
  }
  return quotaRoute(state, request);
}

function quotaRoute(
  { directory, quotas }: FleetState,
  {
    method,
    url: { pathname, searchParams },
    body,
  }: { readonly method: string; readonly url: URL; readonly body: string },
): Answer | undefined {
  const [, path] = /^\/quota(?:\/([^/]+))?$/.exec(pathname) ?? [];
  if (!/^\/quota(\/[^/]+)?$/.test(pathname)) return undefined;
  const isRead = method === 'GET';
  const tier = searchParams.get('tier') ?? 'l2';
  if (tier !== 'l1' && tier !== 'l2') return refused(400, `There is no usage of tier '${tier}'.`);
  const usage = directory.bytesBySalt(tier);
  const rowOf = (salt: string) => {
    const limit = tier === 'l2' ? quotas.get(salt) : undefined;
    return {
      ...{ cache_salt: salt, quota_limit_gb: (limit ?? 0) / gibibyte },
      ...{ quota_exists: limit !== undefined, usage_gb: (usage.get(salt) ?? 0) / gibibyte },
    };
  };
  if (path === undefined) {
    if (!isRead) return undefined;
    const salts = new Set([...usage.keys(), ...(tier === 'l2' ? quotas.salts : [])]);
    const total = [...usage.values()].reduce((sum, bytes) => sum + bytes, 0);
    return ok({ total_gb: total / gibibyte, by_cache_salt: [...salts].sort().map(rowOf) });
  }
  const asked = method === 'PUT' ? JSON.parse(body) : {};
  if (tier !== 'l2' && !(isRead && path !== 'config')) return noQuota(tier);
  if (path === 'config') {
    if (method === 'PUT') {
      const { default_limit_gb: limit, tier: of } = coordinatorRequests.quotaConfig.parse(asked);
      if (of !== 'l2') return noQuota(of);
      quotas.defaultBytes = limit == null ? undefined : Math.floor(limit * gibibyte);
    } else if (!isRead) return undefined;
    const { defaultBytes } = quotas;
    const default_limit_gb = defaultBytes === undefined ? null : defaultBytes / gibibyte;
    return ok({ default_limit_gb });
  }
  const salt = path === noSalt ? '' : decodeURIComponent(path);
  if (salt.length > saltCharactersMax) {
    return refused(400, `a cache_salt has at most ${saltCharactersMax} characters`);
  }
  switch (method) {
    case 'GET':
      return ok(rowOf(salt));
    case 'PUT': {
      const { limit_gb, tier: of } = coordinatorRequests.quota.parse(asked);
      if (of !== 'l2') return noQuota(of);
      quotas.set(salt, Math.floor(limit_gb * gibibyte));
      return ok({ cache_salt: salt, limit_gb, status: 'ok' });
    }
    case 'DELETE': {
      const status = quotas.delete(salt) ? 'removed' : 'not_found';
      return ok({ cache_salt: salt, limit_gb: 0, status });
    }
  }
  return undefined;
}

function noQuota(tier: string): Answer {
  return refused(400, `quotas apply to tier 'l2' only, not '${tier}'`);
}

function pinsPage(pins: PinTable, query: URLSearchParams): Answer {
  const number = (name: string, fallback: number, min: number, max: number) => {
    const value = Number(query.get(name) ?? fallback);
    return Number.isInteger(value) && value >= min && value <= max ? value : undefined;
  };
  const offset = number('offset', 0, 0, Number.MAX_SAFE_INTEGER);
  const limit = number('limit', pinsPerPage, 1, pinsPerPageMax);
  if (offset === undefined || limit === undefined) {
    return refused(422, `offset must be 0 or more, and limit from 1 to ${pinsPerPageMax}.`);
  }
  const salt = query.get('cache_salt') ?? '';
  const all = pins.list({ salt, model: query.get('model_name') ?? '' });
  const page = all.slice(offset, offset + limit);
  return ok({
    total: all.length,
    pins: page.map(({ key, count }) => ({ key, pin_count: count })),
  });
}

/** Deletes the chunks of a prompt on one server; what is pinned in the shared store stays, unless it is forced. */
async function deleteTokens(
  state: FleetState,
  body: string,
  isGone: () => boolean,
): Promise<Answer> {
  const asked = coordinatorRequests.delete.parse(JSON.parse(body));
  const { instance_id, tier, force } = asked;
  return await ordered(state, instance_id, async (server) => {
    const { keys: first, chunks } = await keysOf(state, asked, isGone);
    const none = { instance_id, requested: 0, affected: 0, skipped: 0, status: 'noop' };
    if (chunks === 0) return ok(none);
    const keys = first.flatMap((key) => state.directory.inAllGroups(key));
    const isPinned = (key: ChunkKey) => tier !== 'l1' && !force && state.pins.has(key);
    const wanted = keys.filter((key) => !isPinned(key));
    const done = await deleteObjects(server, wanted, { tier, force });
    if (tier !== 'l1' && force) state.pins.drop(keys);
    return ok({
      ...{ instance_id, requested: chunks, affected: done.deleted },
      ...{ skipped: done.skipped + keys.length - wanted.length, status: 'deleted' },
    });
  });
}

/** 404 for a server that is not registered, and 502 for one that does not carry out the order. */
async function ordered(
  { directory }: FleetState,
  instanceId: string,
  order: (server: { readonly ip: string; readonly http_port: number }) => Promise<Answer>,
): Promise<Answer> {
  const server = directory.instance(instanceId);
  if (server === undefined) {
    return refused(404, `no MP server registered with instance_id='${instanceId}'`);
  }
  try {
    return await order(server);
  } catch (error) {
    if (!(error instanceof ServerOrderError)) throw error;
    return refused(502, reasonOf(error, instanceId));
  }
}

function reasonOf(error: SpillwayError, instanceId: string): string {
  return `the order to '${instanceId}' failed: ${error.message}`;
}

/** Keys of one order: a prompt of a million tokens on sixteen GPUs. */
const keysMax = 65_536;
/** Tokens of a chunk. */
const chunkTokens = 256;

/**
 * The keys of a prompt's whole chunks, one for each rank.
 *
 * @throws {SyntaxError} If there are too many.
 */
async function keysOf(
  { hashes: prompts }: FleetState,
  { model_name, world_size, token_ids, cache_salt }: KeysOfTokens,
  isGone: () => boolean,
) {
  const count = Math.floor(token_ids.length / chunkTokens) * world_size;
  if (count > keysMax) {
    throw new SyntaxError(
      `${token_ids.length} tokens on ${world_size} GPUs are ${count} chunks; at most ${keysMax} in one request`,
    );
  }
  const hashes = await prompts.of(token_ids, isGone);
  const ranks = Array.from({ length: world_size }, (_, rank) => kvRank(world_size, rank));
  const keys = hashes.flatMap((chunk_hash_hex) =>
    ranks.map((kv_rank) => ({
      ...{ chunk_hash_hex, model_name, kv_rank, object_group_id: 0, cache_salt },
    })),
  );
  return { keys, chunks: hashes.length };
}
