// Peaks over a run: tokens in the busiest second, and requests at once.
import type { RequestRecord } from './latencies.ts';

/**
 * Chunks in the busiest whole second, counted from the first send. vLLM calls it
 * max_output_tokens_per_s; it takes each chunk for one token.
 *
 * @param records Complete answers only.
 */
export function peakChunksPerSecond(records: readonly RequestRecord[]): number {
  const origin = minimum(records.map((record) => record.sentSeconds));
  const perSecond = new Map<number, number>();
  for (const { chunkSeconds } of records) {
    // Chunks come in order, so those of one second are counted before the map is asked.
    let [second, count] = [0, 0];
    for (let i = 0; i < chunkSeconds.length; i++) {
      const of = Math.floor((chunkSeconds[i] as number) - origin);
      if (of !== second) {
        if (count > 0) perSecond.set(second, (perSecond.get(second) ?? 0) + count);
        second = of;
        count = 0;
      }
      count++;
    }
    if (count > 0) perSecond.set(second, (perSecond.get(second) ?? 0) + count);
  }
  let peak = 0;
  for (const count of perSecond.values()) if (count > peak) peak = count;
  return peak;
}

/**
 * The most requests that were under way at one moment. An answer that ends as another begins
 * does not overlap it.
 *
 * @param records Complete answers only.
 */
export function peakConcurrency(records: readonly RequestRecord[]): number {
  const changes = records.flatMap((record) => [
    { at: record.sentSeconds, by: 1 },
    { at: record.chunkSeconds.at(-1) ?? record.sentSeconds, by: -1 },
  ]);
  changes.sort((a, b) => a.at - b.at || a.by - b.by);
  let running = 0;
  let peak = 0;
  for (const { by } of changes) {
    running += by;
    if (running > peak) peak = running;
  }
  return peak;
}

function minimum(values: readonly number[]): number {
  // Not Math.min(...values): a long run has more values than a call has arguments.
  return values.reduce((least, value) => Math.min(least, value), Number.POSITIVE_INFINITY);
}
