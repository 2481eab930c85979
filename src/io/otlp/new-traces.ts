// Contexts of new traces, many at once: each request that brings none needs one, and most of them are dropped.
import { randomFillSync } from 'node:crypto';
import { formatTraceparent, type IdSource, type Sampler } from '../../core/telemetry/index.ts';

/** Contexts drawn at once. A context is a part of their text, 3.5 KB, which stays in memory with it. */
const contextsMax = 64;
const contextLength = 55;
const traceIdAt = 3;
const spanIdAt = 36;
const flagAt = 54;
const traceIdBytes = 16;
const spanIdBytes = 8;
const contextBytes = traceIdBytes + spanIdBytes;
const zero = 0x30;
const hexDigits = Buffer.from('0123456789abcdef');

/**
 * Draws `traceparent` values for the first span of each trace, with the flag that the head rule gives it.
 *
 * @param ids Draws an id again that is all 0.
 */
export function newTraces(sampler: Pick<Sampler, 'head'>, ids: IdSource): () => string {
  const random = Buffer.allocUnsafe(contextsMax * contextBytes);
  const text = Buffer.alloc(contextsMax * contextLength);
  const empty = formatTraceparent('0'.repeat(32), '0'.repeat(16), false);
  for (let i = 0; i < contextsMax; i++) text.write(empty, i * contextLength, 'latin1');
  let drawn = '';
  let at = 0;
  const draw = (): void => {
    randomFillSync(random);
    for (let i = 0; i < contextsMax; i++) {
      const from = i * contextBytes;
      const to = i * contextLength;
      const isTrace = writeHex(random, from, traceIdBytes, text, to + traceIdAt);
      const isSpan = writeHex(random, from + traceIdBytes, spanIdBytes, text, to + spanIdAt);
      if (!isTrace) text.write(ids.traceId(), to + traceIdAt, 'latin1');
      if (!isSpan) text.write(ids.spanId(), to + spanIdAt, 'latin1');
      text[to + flagAt] = zero;
    }
    const unsampled = text.toString('latin1');
    for (let to = 0; to < unsampled.length; to += contextLength) {
      const traceId = unsampled.slice(to + traceIdAt, to + traceIdAt + 2 * traceIdBytes);
      if (sampler.head(traceId, undefined)) text[to + flagAt] = zero + 1;
    }
    drawn = text.toString('latin1');
    at = 0;
  };
  return () => {
    if (at === drawn.length) draw();
    at += contextLength;
    return drawn.slice(at - contextLength, at);
  };
}

/** @returns Whether a byte is not 0. */
function writeHex(from: Buffer, start: number, count: number, to: Buffer, at: number): boolean {
  let all = 0;
  for (let i = 0; i < count; i++) {
    const byte = from[start + i] as number;
    all |= byte;
    to[at + 2 * i] = hexDigits[byte >> 4] as number;
    to[at + 2 * i + 1] = hexDigits[byte & 15] as number;
  }
  return all !== 0;
}
