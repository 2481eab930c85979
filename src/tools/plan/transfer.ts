// Break-even of reading KV cache from a tier, and the cost of its host memory.
import { hostLink, kvBytesPerToken } from '../../core/engine/index.ts';
import type { EngineLayout } from './layout.ts';
import { sharedStoreOf } from './plan-tiers.ts';

/** Prompt lengths from which a transfer beats a second prefill; undefined: at no length up to the context. */
export interface TransferBreakEven {
  /** From the engine's own host memory. */
  readonly hostTokens: number | undefined;
  /** From the shared store, without other traffic on its link. */
  readonly storeTokens: number | undefined;
  /** Rates in tokens per second for long prompts. */
  readonly hostTokensPerSecond: number;
  readonly storeTokensPerSecond: number;
  readonly prefillTokensPerSecond: number;
}

/** LMCache's host time to look up one prompt. */
const lookupSeconds = 0.5e-3;
const chunkTokens = 256;
const storeLatencySeconds = 0.2e-3;
/** Lengths are multiples of a block. */
const blockTokens = 16;

export function transferBreakEven(layout: EngineLayout): TransferBreakEven {
  const { model, gpu, gpus, config } = layout;
  const bytes = kvBytesPerToken(model);
  const hostTokensPerSecond = (hostLink(gpu).bytesPerSecond * gpus) / bytes;
  const { linkGbps, lookupMs } = sharedStoreOf(1);
  const storeTokensPerSecond = ((linkGbps / 8) * 1e9) / bytes;
  const host = (tokens: number) => tokens / hostTokensPerSecond;
  const store = (tokens: number) =>
    lookupSeconds +
    Math.ceil(tokens / chunkTokens) * (lookupMs / 1000) +
    storeLatencySeconds +
    tokens / storeTokensPerSecond;
  const longest = config.maxModelLen;
  return {
    hostTokens: firstLength(longest, (tokens) => host(tokens) < prefillSeconds(layout, tokens)),
    storeTokens: firstLength(longest, (tokens) => store(tokens) < prefillSeconds(layout, tokens)),
    ...{ hostTokensPerSecond, storeTokensPerSecond },
    prefillTokensPerSecond: prefillTokensPerSecond(layout),
  };
}

/** Returns the time to compute a prompt on an idle engine, in steps of its token budget. */
export function prefillSeconds({ cost, config }: EngineLayout, tokens: number): number {
  let seconds = 0;
  for (let done = 0; done < tokens; done += config.maxNumBatchedTokens) {
    const chunk = Math.min(config.maxNumBatchedTokens, tokens - done);
    seconds += cost.stepSeconds({
      ...{ sequences: 1, tokens: chunk, prefillTokens: chunk, prefillTokenContext: chunk * done },
      ...{ prefillTokensSquared: chunk ** 2, decodeSequences: 0, decodeContextTokens: 0 },
    });
  }
  return seconds;
}

/** Returns the prefill rate of one full step of a single long prompt. */
export function prefillTokensPerSecond(layout: EngineLayout): number {
  const tokens = layout.config.maxNumBatchedTokens;
  return tokens / prefillSeconds(layout, tokens);
}

/** Returns the shortest length for which a monotonic condition holds, in whole blocks. */
function firstLength(longest: number, holds: (tokens: number) => boolean): number | undefined {
  const blocks = Math.floor(longest / blockTokens);
  if (blocks < 1 || !holds(blocks * blockTokens)) return undefined;
  let [low, high] = [1, blocks];
  while (low < high) {
    const middle = (low + high) >> 1;
    if (holds(middle * blockTokens)) high = middle;
    else low = middle + 1;
  }
  return high * blockTokens;
}

/** Rough price of memory in clouds, about $4 per GiB and month; an estimate. */
export const dollarsPerGibHour = 4 / 730;

/** Host memory of a tier: its price, and the number of engines that its gain replaces. */
export interface HostMemory {
  readonly gibPerEngine: number;
  readonly gib: number;
  /** Dollars per hour, without the GPUs. */
  readonly pricePerHour: number;
  /** Number of additional engines for the same throughput without the tier; 0 without a gain. */
  readonly enginesSaved: number;
}

/** @param gain Gain of the tier over no offload, as a share of the throughput. */
export function hostMemory(gibPerEngine: number, engines: number, gain: number): HostMemory {
  const gib = gibPerEngine * engines;
  return {
    ...{ gibPerEngine, gib, pricePerHour: gib * dollarsPerGibHour },
    enginesSaved: Math.max(0, gain) * engines,
  };
}
