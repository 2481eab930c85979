// A policy, engines with given loads, and prompts made of named blocks.
import type {
  Endpoint,
  Policy,
  ReportedLoad,
  RoutingRequest,
} from '../../src/core/routing/index.ts';
import { routingRequest } from './routing.ts';

/** Returns an engine with some counts; the others are 0. */
export function engine(
  url: string,
  load: Partial<Endpoint['load']> = {},
  reported?: Partial<ReportedLoad>,
): Endpoint {
  return {
    url,
    models: ['m'],
    load: { inflight: 0, prefilling: 0, prefillTokens: 0, decodeTokens: 0, ...load },
    reported: reported && { atSeconds: 0, running: 0, waiting: 0, kvUsage: 0, ...reported },
  };
}

/**
 * Returns a prompt of blocks of 256 bytes, 64 tokens each; each letter is a block.
 *
 * @example promptOf('aab') // 192 tokens
 */
export function promptOf(letters: string, overrides: Partial<RoutingRequest> = {}): RoutingRequest {
  return routingRequest([...letters].map((letter) => letter.repeat(256)).join(''), overrides);
}

/** Tells the policy that the engine was sent the prompt. */
export function send(
  policy: Policy,
  request: RoutingRequest,
  to: Endpoint,
  nowSeconds = 0,
): ReturnType<Policy['pick']> {
  const pick = policy.pick(request, [to], nowSeconds);
  policy.onSent?.(request, pick, nowSeconds);
  return pick;
}
