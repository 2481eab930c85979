// The bodies that LMCache's servers send to the coordinator.
import { z } from 'zod';
import { listOf, tokenIds } from '../json-server/index.ts';

const key = z.object({
  chunk_hash_hex: z.string().max(128),
  model_name: z.string().max(512),
  kv_rank: z.number().int().min(0),
  object_group_id: z.number().int().min(0).default(0),
  cache_salt: z.string().max(128).default(''),
});
const count = z.number().int().min(0);
/** LMCache's own limit. */
const tokensMax = 1_000_000;
/** Keys of one lookup: a prompt of a million tokens on eight GPUs. */
const keysMax = 32_768;
/** Reports in one body, and chunks in one of them. */
const [batchesMax, entriesMax] = [4_096, 65_536];
/** A prompt of a model on so many GPUs. */
const tokens = z.object({
  model_name: z.string().max(512),
  world_size: z.number().int().min(1).max(255),
  token_ids: tokenIds(tokensMax).default([]),
  cache_salt: z.string().max(128).default(''),
});
const instanceId = z.string().min(1).max(256);
const tier = z.enum(['l1', 'l2', 'all']);
const gibibytes = z
  .number()
  .min(0)
  .max(2 ** 23);
export const coordinatorRequests = {
  tokens,
  prefetch: tokens.extend({ instance_id: instanceId }),
  delete: tokens.extend({
    instance_id: instanceId,
    tier: tier.default('all'),
    force: z.boolean().default(false),
  }),
  quota: z.object({ limit_gb: gibibytes, tier: tier.default('l2') }),
  quotaConfig: z.object({
    default_limit_gb: gibibytes.nullish(),
    tier: tier.default('l2'),
  }),
  instance: z.object({
    instance_id: instanceId,
    ip: z.string().max(256),
    http_port: count,
    metadata: z.record(z.string(), z.unknown()).default({}),
    p2p_advertised_url: z.string().max(512).default(''),
    mq_port: count.default(0),
  }),
  events: z.object({
    batches: listOf(
      z.object({
        instance_id: instanceId,
        incarnation: count,
        seq: count,
        event_type: z.enum(['store', 'delete', 'access', 'config']),
        tier: z.enum(['l1', 'l2']),
        backend: z.string().max(128).default(''),
        shared: z.boolean().default(false),
        capacity_bytes: count.default(0),
        entries: listOf(z.object({ key, size_bytes: count.default(0) }), entriesMax).default([]),
      }),
      batchesMax,
    ),
  }),
  lookup: z.object({
    keys: listOf(key, keysMax).optional(),
    token_ids: tokenIds(tokensMax).optional(),
    model_name: z.string().max(512).default(''),
    world_size: z.number().int().min(1).max(255).default(1),
    cache_salt: z.string().max(128).default(''),
  }),
};

export type Lookup = z.infer<typeof coordinatorRequests.lookup>;
export type KeysOfTokens = z.infer<typeof tokens>;
