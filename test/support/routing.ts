// Requests and policies for routing tests.
import type { RoutingRequest } from '../../src/core/routing/index.ts';

/** A streamed request for model "m" with the given prompt text; override what matters. */
export function routingRequest(
  prompt = '',
  overrides: Partial<RoutingRequest> = {},
): RoutingRequest {
  const bytes = new TextEncoder().encode(prompt);
  return {
    id: 'request',
    model: 'm',
    session: undefined,
    prompt: bytes.length > 0 ? [bytes] : [],
    promptTokens: Math.ceil(bytes.length / 4),
    tokens: undefined,
    outputTokensMax: undefined,
    stream: true,
    ...overrides,
  };
}
