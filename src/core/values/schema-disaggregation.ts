// The keys below routerSpec.disaggregation: prefill and decode on separate engines.
import { z } from 'zod';
import { policyNames } from '../routing/index.ts';
import { count, ours, section, text } from './schema-keys.ts';

export const disaggregation = section({
  prefillPolicy: ours(
    z.enum(policyNames).default('roundrobin'),
    'Policy that picks the engine for prefill. Upstream uses round robin.',
  ),
  decodePolicy: ours(
    z.enum(policyNames).default('roundrobin'),
    'Policy that picks the engine for decode. Upstream uses round robin.',
  ),
  remotePrefillTokensMin: ours(
    count.default(0),
    'A prompt with fewer uncached tokens than this on the decode engine is prefilled there; 0: never.',
  ),
  link: ours(
    z.union([z.number().gt(0), text.min(1)]).default('rdma-400g'),
    'Simulation: link that transfers KV between the engines: nvlink, rdma-400g, rdma-200g, rdma-100g, tcp-100g, tcp-25g, tcp-10g, or the rate per GPU in GB/s in each direction.',
  ),
  linkLatencyMs: ours(
    z.number().min(0).optional(),
    "Simulation: fixed latency of one transfer; the link's own if unset.",
  ),
});
