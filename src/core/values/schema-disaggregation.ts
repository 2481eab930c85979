// The keys below routerSpec.disaggregation: prefill and decode on engines of their own.
import { z } from 'zod';
import { count, ours, section, text } from './schema-keys.ts';

/** Policies that pick one engine. */
export const pickingPolicies = [
  'roundrobin',
  'session',
  'prefixaware',
  'kvaware',
  'leastloaded',
  'predictive',
] as const;

export const disaggregation = section({
  prefillPolicy: ours(
    z.enum(pickingPolicies).default('roundrobin'),
    'How the engine that prefills is picked. Upstream has them take turns.',
  ),
  decodePolicy: ours(
    z.enum(pickingPolicies).default('roundrobin'),
    'How the engine that decodes is picked. Upstream has them take turns.',
  ),
  remotePrefillTokensMin: ours(
    count.default(0),
    'A prompt with fewer tokens than this not expected in the cache of the engine that would decode is prefilled there; 0: never.',
  ),
  link: ours(
    z.union([z.number().gt(0), text.min(1)]).default('rdma-400g'),
    'Simulation: what carries KV between the engines. nvlink, rdma-400g, rdma-200g, rdma-100g, tcp-100g, tcp-25g, tcp-10g, or the rate of one GPU in GB/s, each direction.',
  ),
  linkLatencyMs: ours(
    z.number().min(0).optional(),
    "Simulation: time of one transfer beside its bytes; the link's own if unset.",
  ),
});
