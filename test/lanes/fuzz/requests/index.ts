// Draws a random request to one of the routes that generate, or that accept or return tokens.
import { Draw } from '../draw.ts';
import { administrationRequest } from './administration.ts';
import { chatRequest, completionRequest } from './generation.ts';
import { malformedRequest } from './malformed.ts';
import { countTokensRequest, messagesRequest, responsesRequest } from './other-apis.ts';
import { decisionRequest, invocationRequest, scoringRequest } from './scores.ts';
import {
  batchRequest,
  derenderRequest,
  detokenizeRequest,
  generateRequest,
  renderRequest,
  tokenizeRequest,
} from './token-routes.ts';

/** A request as it is sent. */
export interface FuzzRequest {
  readonly method: string;
  readonly path: string;
  readonly headers?: Readonly<Record<string, string | null>>;
  readonly body?: unknown;
  /** Paths whose value the sampler decides. */
  readonly loose?: readonly string[];
}

/** Maps a route to its share of the requests and its generator. */
const routes: Readonly<Record<string, readonly [number, (draw: Draw) => FuzzRequest]>> = {
  chat: [30, chatRequest],
  completions: [22, completionRequest],
  responses: [8, responsesRequest],
  messages: [6, messagesRequest],
  count_tokens: [3, countTokensRequest],
  batch: [4, batchRequest],
  render: [6, renderRequest],
  derender: [4, derenderRequest],
  generate: [5, generateRequest],
  tokenize: [5, tokenizeRequest],
  detokenize: [2, detokenizeRequest],
  decisions: [2, decisionRequest],
  scoring: [2, scoringRequest],
  invocations: [2, invocationRequest],
  administration: [3, administrationRequest],
  malformed: [5, malformedRequest],
};

export const routeNames = Object.keys(routes);

/** @param only Routes to draw from. */
export function fuzzRequest(
  seed: number,
  only: readonly string[] = routeNames,
): { readonly route: string; readonly request: FuzzRequest } {
  const draw = new Draw(seed);
  const names = only.flatMap((name) => Array.from({ length: routes[name]?.[0] ?? 0 }, () => name));
  const route = draw.pick(names);
  const [, make] = routes[route] as (typeof routes)[string];
  return { route, request: make(draw) };
}
