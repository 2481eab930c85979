// Ids of traces and spans from the system's random numbers.
import { randomFillSync } from 'node:crypto';
import { type IdSource, randomIds } from '../../core/telemetry/index.ts';

/** Bytes drawn at once: a call for each id would cost more than the rest of its span. */
const drawnBytes = 16_384;
/** Bytes that become text at once. An id is a part of this text, which stays in memory with it. */
const textBytes = 1_024;

export function systemIds(): IdSource {
  const bytes = Buffer.allocUnsafe(drawnBytes);
  let drawnAt = drawnBytes;
  let text = '';
  let at = 0;
  return randomIds((count) => {
    if (at + count > text.length) {
      if (drawnAt === drawnBytes) {
        randomFillSync(bytes);
        drawnAt = 0;
      }
      text = bytes.toString('hex', drawnAt, drawnAt + textBytes);
      drawnAt += textBytes;
      at = 0;
    }
    at += count;
    return text.slice(at - count, at);
  });
}
