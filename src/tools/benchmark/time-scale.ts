// Emulated engines may run faster than the GPU they stand for; results are then told in GPU time.
import type { RequestRecord } from '../../core/stats/index.ts';

/**
 * The records with every time multiplied: wall seconds to GPU seconds.
 *
 * @param timeScale GPU seconds per wall second, as given to `spillway up --time-scale`.
 */
export function toGpuTime(
  records: readonly RequestRecord[],
  timeScale: number,
): readonly RequestRecord[] {
  if (timeScale === 1) return records;
  return records.map((record) => ({
    ...record,
    scheduledSeconds: record.scheduledSeconds * timeScale,
    sentSeconds: record.sentSeconds * timeScale,
    chunkSeconds: Array.from(record.chunkSeconds, (at) => at * timeScale),
  }));
}
