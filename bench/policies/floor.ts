// A lower bound for every policy: each request alone, at once, on the fastest engine, with the
// longest prefix cached that any earlier request has brought.
import type { SimulatedEngine } from '../../src/core/simulation/index.ts';
import type { Traffic } from './cells.ts';

/** One-way latency of the simulator's network, which every first token incurs. */
const networkSeconds = 0.0005;

/** @returns Lower bounds of the times to first token, by request. */
export function floorSeconds(
  { requests, blockTokens }: Traffic,
  engines: readonly SimulatedEngine[],
): Float64Array {
  const seen = new Set<number>();
  return Float64Array.from(requests, ({ promptTokens, blockIds }) => {
    const known = blockIds.findIndex((id) => !seen.has(id));
    const cached = (known === -1 ? blockIds.length : known) * blockTokens;
    for (const id of blockIds) seen.add(id);
    const from = Math.min(cached, promptTokens - 1);
    const alone = engines.map((engine) => aloneSeconds(engine, from, promptTokens));
    return Math.min(...alone) + networkSeconds;
  });
}

/** Prefill in chunks of the step's budget with nothing else in the steps. */
function aloneSeconds(
  { config, cost }: SimulatedEngine,
  cachedTokens: number,
  promptTokens: number,
): number {
  let seconds = 0;
  for (let done = cachedTokens; done < promptTokens; ) {
    const chunk = Math.min(config.maxNumBatchedTokens, promptTokens - done);
    seconds += cost.stepSeconds({
      sequences: 1,
      tokens: chunk,
      prefillTokens: chunk,
      prefillTokenContext: chunk * done,
      prefillTokensSquared: chunk * chunk,
      decodeSequences: 0,
      decodeContextTokens: 0,
    });
    done += chunk;
  }
  return seconds;
}
