// `metrics` of a response under --enable-per-request-metrics.
import type { EmbeddedEngine } from '../runtime/embedded-engine.ts';
import type { GeneratedSequence } from '../sequences/generated-sequence.ts';

/** The metrics of a non-streamed response; null unless the server's flag enables them. */
export function wholeMetrics(
  engine: EmbeddedEngine,
  sequences: readonly GeneratedSequence[],
): object | null {
  const timings = requestMetrics(engine, sequences);
  return timings ? { ...timings, speculative_decoding: null } : null;
}

/** The metrics in a stream's last chunk, which omits nulls: `,"metrics":{…}`, or nothing. */
export function streamMetrics(
  engine: EmbeddedEngine,
  sequences: readonly GeneratedSequence[],
): string {
  const timings = requestMetrics(engine, sequences);
  if (!timings) return '';
  const known = Object.entries(timings).filter(([, value]) => value !== null);
  return `,"metrics":${JSON.stringify(Object.fromEntries(known))}`;
}

/** Undefined for a response with several choices, which share no timings. */
function requestMetrics(
  engine: EmbeddedEngine,
  sequences: readonly GeneratedSequence[],
): Readonly<Record<string, number | null>> | undefined {
  const sequence = sequences[0];
  if (engine.options.enablePerRequestMetrics !== true) return undefined;
  if (sequence === undefined || sequences.length > 1) return undefined;
  const ms = (seconds: number) => seconds * engine.wallPerModelSecond * 1000;
  const { arrivalSeconds, admittedSeconds, firstTokenSeconds, lastTokenSeconds } = sequence;
  const tokens = sequence.output.length;
  const generationMs = ms(lastTokenSeconds - firstTokenSeconds);
  const wholeMs = ms(lastTokenSeconds - admittedSeconds);
  return {
    time_to_first_token_ms: ms(firstTokenSeconds - admittedSeconds),
    generation_time_ms: generationMs,
    queue_time_ms: ms(admittedSeconds - arrivalSeconds),
    mean_itl_ms: tokens > 1 ? generationMs / (tokens - 1) : null,
    tokens_per_second: wholeMs > 0 ? (tokens / wholeMs) * 1000 : null,
  };
}
