// Peaks over a run: tokens in the busiest second, and concurrent requests.
import type { RequestRecord } from './latencies.ts';

/**
 * Chunks in the busiest whole second, counted from the first send. vLLM calls it max_output_tokens_per_s;
 * it counts each chunk as one token.
 *
 * @param records Complete responses only.
 */
export function peakChunksPerSecond(records: readonly RequestRecord[]): number {
  const origin = minimum(records.map((record) => record.sentSeconds));
  const perSecond = new Map<number, number>();
  for (const { chunkSeconds } of records) {
    const last = chunkSeconds.length - 1;
    for (let from = 0; from <= last; ) {
      const second = Math.floor((chunkSeconds[from] as number) - origin);
      // Chunks are in order, so those of one second are adjacent.
      let [of, after] = [from, last + 1];
      while (of + 1 < after) {
        const middle = (of + after) >>> 1;
        if (Math.floor((chunkSeconds[middle] as number) - origin) > second) after = middle;
        else of = middle;
      }
      perSecond.set(second, (perSecond.get(second) ?? 0) + after - from);
      from = after;
    }
  }
  let peak = 0;
  for (const count of perSecond.values()) if (count > peak) peak = count;
  return peak;
}

/**
 * The maximum number of concurrent requests, failed ones included: the server worked on them, too. A response that ends
 * as another begins does not overlap it.
 */
export function peakConcurrency(records: readonly RequestRecord[]): number {
  const starts = Float64Array.from(records, (record) => record.sentSeconds).sort();
  const ends = Float64Array.from(
    records,
    ({ endSeconds, chunkSeconds, sentSeconds }) => endSeconds ?? chunkSeconds.at(-1) ?? sentSeconds,
  ).sort();
  let ended = 0;
  let peak = 0;
  for (const [index, start] of starts.entries()) {
    while ((ends[ended] as number) <= start) ended++;
    peak = Math.max(peak, index + 1 - ended);
  }
  return peak;
}

function minimum(values: readonly number[]): number {
  // Not Math.min(...values): a long run has more values than a call has arguments.
  return values.reduce((least, value) => Math.min(least, value), Number.POSITIVE_INFINITY);
}
