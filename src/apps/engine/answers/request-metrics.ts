// `metrics` of an answer under --enable-per-request-metrics.
import type { Engine } from '../engine.ts';
import type { Sequence } from '../sequence.ts';

/** Of an answer in one piece; null unless the server was told to give them. */
export function wholeMetrics(engine: Engine, sequences: readonly Sequence[]): object | null {
  const timings = requestMetrics(engine, sequences);
  return timings ? { ...timings, speculative_decoding: null } : null;
}

/** Of a stream's last chunk, where nulls are left out: `,"metrics":{…}`, or nothing. */
export function streamMetrics(engine: Engine, sequences: readonly Sequence[]): string {
  const timings = requestMetrics(engine, sequences);
  if (!timings) return '';
  const known = Object.entries(timings).filter(([, value]) => value !== null);
  return `,"metrics":${JSON.stringify(Object.fromEntries(known))}`;
}

/** Undefined for an answer of several choices, which have no timings in common. */
function requestMetrics(
  engine: Engine,
  sequences: readonly Sequence[],
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
