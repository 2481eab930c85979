// When to leave the engine that holds most of a prompt: a rule that policies with a favourite
// share.
import type { Endpoint, EndpointLoad } from './contract.ts';

export interface SaturationOptions {
  /**
   * The favourite is left when its queue of uncached prompt tokens exceeds the shortest by
   * more than the cache saves plus this many tokens. About 2 s of prefill of an 8B model on an H100.
   * @default 50000
   */
  readonly releaseTokens?: number | undefined;
  /**
   * The favourite is left when it has this many more requests in flight than the least loaded,
   * and more than 1.5 times as many: SGLang's rule, with a lower threshold.
   * @default 32
   */
  readonly releaseRequests?: number | undefined;
}

const releaseTokensDefault = 50_000;
const releaseRequestsDefault = 32;
const releaseRequestsRatio = 1.5;

/** The minimum of each load count over some engines. */
export function leastLoad(
  endpoints: readonly Endpoint[],
): Pick<EndpointLoad, 'prefillTokens' | 'inflight'> {
  let prefillTokens = Number.POSITIVE_INFINITY;
  let inflight = Number.POSITIVE_INFINITY;
  for (const { load } of endpoints) {
    prefillTokens = Math.min(prefillTokens, load.prefillTokens);
    inflight = Math.min(inflight, load.inflight);
  }
  return { prefillTokens, inflight };
}

/** @param cachedTokens Tokens that the favourite's cache saves this request. */
export function isSaturated(
  favourite: EndpointLoad,
  least: Pick<EndpointLoad, 'prefillTokens' | 'inflight'>,
  cachedTokens: number,
  options: SaturationOptions,
): boolean {
  const { releaseTokens = releaseTokensDefault, releaseRequests = releaseRequestsDefault } =
    options;
  return (
    favourite.prefillTokens > least.prefillTokens + cachedTokens + releaseTokens ||
    (favourite.inflight > least.inflight + releaseRequests &&
      favourite.inflight > least.inflight * releaseRequestsRatio)
  );
}
