// Random hexadecimal digits for the ids in responses.
import { randomBytes } from 'node:crypto';

/** Random bytes are drawn in bulk: one call per id costs more than the rest of a short response. */
const pooledBytes = 4096;
let pool = Buffer.alloc(0);
let used = 0;

/** @param bytes At most 4,096. */
export function randomHex(bytes: number): string {
  if (used + bytes > pool.length) {
    pool = randomBytes(pooledBytes);
    used = 0;
  }
  used += bytes;
  return pool.toString('hex', used - bytes, used);
}
