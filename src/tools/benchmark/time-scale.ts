// Converts records to GPU time, because emulated engines may run faster than their GPU.
import type { RequestRecord } from '../../core/stats/index.ts';

/**
 * Returns the records with every time in GPU seconds instead of wall-clock seconds.
 *
 * @param timeScale GPU seconds per wall second, as given to `spillway up --time-scale`.
 */
export function toGpuTime(
  records: readonly RequestRecord[],
  timeScale: number,
): readonly RequestRecord[] {
  if (timeScale === 1) return records;
  return records.map((record) => recordInGpuTime(record, timeScale));
}

/** The same for one record. */
export function recordInGpuTime(record: RequestRecord, timeScale: number): RequestRecord {
  if (timeScale === 1) return record;
  return {
    ...record,
    scheduledSeconds: record.scheduledSeconds * timeScale,
    sentSeconds: record.sentSeconds * timeScale,
    chunkSeconds: Array.from(record.chunkSeconds, (at) => at * timeScale),
    ...(record.endSeconds === undefined ? {} : { endSeconds: record.endSeconds * timeScale }),
  };
}
