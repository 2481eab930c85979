// The bodies of requests to LMCache's controller.
import { z } from 'zod';

const text = z.string().max(512);
const tokens = z.array(z.number().int().min(0).max(0xffffffff));
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
  workers: z.object({ instance_id: text, worker_ids: z.array(z.number().int()).nullish() }),
};
