// Measures the workload of a trace: lengths, rate and shared prefixes.
import type { PrefixReuse } from '../../core/plan/index.ts';
import type { Trace } from '../../core/traces/index.ts';

export interface MeasuredTrace {
  readonly requests: number;
  readonly promptTokens: MeasuredLengths;
  readonly outputTokens: MeasuredLengths;
  /** Undefined if all requests arrive at once. */
  readonly requestsPerSecond: number | undefined;
  /** Rate of the busiest minute, at least the mean. */
  readonly peakRequestsPerSecond: number | undefined;
  readonly prefixReuse: PrefixReuse;
  /** Mean number of prompt tokens that are a prefix of an earlier prompt. */
  readonly sharedPrefixTokens: number;
  /** Distinct first blocks beyond the part that all prompts share. */
  readonly prefixGroups: number;
}

interface MeasuredLengths {
  readonly mean: number;
  readonly p50: number;
  readonly p95: number;
  readonly max: number;
}

/** Minimum share of repeated tokens at which prompts count as sharing prefixes. */
const reuseShareMin = 0.05;
/** Minimum share of requests with the same start at which it counts as one common prefix. */
const commonShare = 0.9;
const minuteSeconds = 60;

/** Measures a trace of at least one request. Reuse is visible only with block ids. */
export function measureTrace({ requests, blockTokens }: Trace): MeasuredTrace {
  const prompts = requests.map(({ promptTokens }) => promptTokens);
  const outputs = requests.map(({ outputTokens }) => outputTokens);
  const seconds = (requests.at(-1)?.arrivalSeconds ?? 0) - (requests[0]?.arrivalSeconds ?? 0);
  const rate = seconds > 0 ? requests.length / seconds : undefined;
  const { sharedTokens, extendsEarlier } = reuseOf(requests, blockTokens);
  const total = prompts.reduce((sum, tokens) => sum + tokens, 0);
  const shares = sharedTokens / total >= reuseShareMin;
  const common = commonBlocks(requests);
  return {
    requests: requests.length,
    promptTokens: measured(prompts),
    outputTokens: measured(outputs),
    requestsPerSecond: rate,
    peakRequestsPerSecond: rate === undefined ? undefined : Math.max(rate, busiestMinute(requests)),
    prefixReuse: !shares ? 'none' : extendsEarlier >= 0.25 ? 'multi-turn' : 'system-prompt',
    sharedPrefixTokens: shares ? Math.round(sharedTokens / requests.length) : 0,
    prefixGroups: new Set(requests.map(({ blockIds }) => blockIds[common] ?? -1)).size,
  };
}

/**
 * Replays the requests in order with an unlimited cache.
 *
 * @returns Tokens found there, and the share of the requests that found all blocks of an earlier
 *   prompt but its last: a conversation that goes on.
 */
function reuseOf(requests: Trace['requests'], blockTokens: number) {
  const seen = new Set<number>();
  const lastBlocks = new Set<number>();
  let [sharedTokens, extending] = [0, 0];
  for (const { blockIds, promptTokens } of requests) {
    let hits = 0;
    while (hits < blockIds.length && seen.has(blockIds[hits] as number)) hits++;
    sharedTokens += Math.min(hits * blockTokens, promptTokens);
    if (hits > 0 && hits < blockIds.length && lastBlocks.has(blockIds[hits - 1] as number)) {
      extending++;
    }
    for (const id of blockIds) seen.add(id);
    const whole = blockIds.at(Math.floor(promptTokens / blockTokens) - 1);
    if (whole !== undefined) lastBlocks.add(whole);
  }
  return { sharedTokens, extendsEarlier: extending / Math.max(1, requests.length) };
}

/** Returns the number of leading blocks that nearly all requests share. */
function commonBlocks(requests: Trace['requests']): number {
  for (let block = 0; ; block++) {
    const counts = new Map<number, number>();
    for (const { blockIds } of requests) {
      const id = blockIds[block];
      if (id !== undefined) counts.set(id, (counts.get(id) ?? 0) + 1);
    }
    if (Math.max(0, ...counts.values()) < commonShare * requests.length) return block;
  }
}

function busiestMinute(requests: Trace['requests']): number {
  const counts = new Map<number, number>();
  for (const { arrivalSeconds } of requests) {
    const minute = Math.floor(arrivalSeconds / minuteSeconds);
    counts.set(minute, (counts.get(minute) ?? 0) + 1);
  }
  return Math.max(0, ...counts.values()) / minuteSeconds;
}

function measured(values: readonly number[]): MeasuredLengths {
  const sorted = values.toSorted((a, b) => a - b);
  const at = (share: number) => sorted[Math.floor(share * (sorted.length - 1))] as number;
  const mean = values.reduce((sum, value) => sum + value, 0) / values.length;
  return { mean, p50: at(0.5), p95: at(0.95), max: at(1) };
}
