// The trace that a request belongs to, as the W3C header `traceparent` carries it.
import { isZero } from './span.ts';

/** A span and its trace, as they pass from one process to the next. */
export interface TraceContext {
  /** 32 lower-case hexadecimal digits, not all 0. */
  readonly traceId: string;
  /** 16 lower-case hexadecimal digits, not all 0. */
  readonly spanId: string;
  /** Whether the caller keeps its spans of this trace. */
  readonly isSampled: boolean;
}

/** Length of a header of version 00: version, trace id, span id and flags with dashes between. */
const headerLength = 55;
const dash = 0x2d;
const flagSampled = 1;

/**
 * Reads `traceparent`. A header of a later version may be longer; its first four fields have the same meaning.
 *
 * @param text The header's value.
 * @returns Undefined if it is not valid; then the request starts a trace of its own.
 * @example parseTraceparent('00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01')?.isSampled; // true
 * @see https://www.w3.org/TR/trace-context/#traceparent-header
 */
export function parseTraceparent(text: string): TraceContext | undefined {
  if (text.length < headerLength || !isFields(text)) return undefined;
  if (text.startsWith('ff')) return undefined;
  if (text.length > headerLength) {
    if (text.startsWith('00') || text.charCodeAt(headerLength) !== dash) return undefined;
  }
  const traceId = traceIdOf(text);
  const spanId = spanIdOf(text);
  if (isZero(traceId) || isZero(spanId)) return undefined;
  return { traceId, spanId, isSampled: isSampledIn(text) };
}

/** The value of `traceparent` for a request that the span with this id makes. */
export function formatTraceparent(traceId: string, spanId: string, isSampled: boolean): string {
  return `00-${traceId}-${spanId}-${isSampled ? '01' : '00'}`;
}

/** The trace id of a valid `traceparent`. */
export function traceIdOf(traceparent: string): string {
  return traceparent.slice(3, 35);
}

/** The span id of a valid `traceparent`. */
export function spanIdOf(traceparent: string): string {
  return traceparent.slice(36, 52);
}

/** Whether the sender of a valid `traceparent` keeps its spans of the trace. */
export function isSampledIn(traceparent: string): boolean {
  return (hexDigit(traceparent.charCodeAt(54)) & flagSampled) !== 0;
}

/** Whether the first 55 characters are hexadecimal digits with dashes in the right places. */
function isFields(text: string): boolean {
  for (let i = 0; i < headerLength; i++) {
    const code = text.charCodeAt(i);
    const isDashed = i === 2 || i === 35 || i === 52;
    if (isDashed ? code !== dash : hexDigit(code) < 0) return false;
  }
  return true;
}

/** The value of a lower-case hexadecimal digit; -1 for any other character. */
export function hexDigit(code: number): number {
  if (code >= 0x30 && code <= 0x39) return code - 0x30;
  return code >= 0x61 && code <= 0x66 ? code - 0x57 : -1;
}
