// The bodies of requests to LMCache's controller.
import { z } from 'zod';
import { listOf, tokenIds } from '../../io/json-server/index.ts';

const text = z.string().max(512);
/** Those of a prompt. */
const tokensMax = 1_000_000;
const tokens = tokenIds(tokensMax);
const optionalTokens = tokens.nullish().transform((given) => given ?? []);
const position = z.tuple([text, text]);
export const controllerRequests = {
  lookup: z.object({ tokens }),
  queryInstance: z.object({ event_id: text, ip: text }),
  clear: z.object({ instance_id: text, location: text }),
  pin: z.object({ instance_id: text, location: text, tokens }),
  compress: z.object({ instance_id: text, method: text, location: text, tokens: optionalTokens }),
  move: z.object({
    old_position: position,
    new_position: position,
    tokens: optionalTokens,
    should_copy: z.boolean().nullish(),
  }),
  health: z.object({ instance_id: text }),
  workers: z.object({ instance_id: text, worker_ids: listOf(z.number().int(), 4_096).nullish() }),
};
