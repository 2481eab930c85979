// Ids of traces and spans from the system's random numbers.
import { randomFillSync } from 'node:crypto';
import { type IdSource, randomIds } from '../../core/telemetry/index.ts';

/** Bytes drawn at once: a call for each id would cost more than the rest of its span. */
const poolBytes = 1_024;

/** An id is a part of the pool's text, which stays in memory with it; the pool is small for that reason. */
export function systemIds(): IdSource {
  const bytes = Buffer.allocUnsafe(poolBytes);
  let pool = '';
  let at = 0;
  return randomIds((count) => {
    if (at + count > pool.length) {
      pool = randomFillSync(bytes).toString('hex');
      at = 0;
    }
    at += count;
    return pool.slice(at - count, at);
  });
}
