// The latencies of a streamed response, defined as `vllm bench serve` defines them.

/** Moments in order, in seconds. */
export type Times = readonly number[] | Float64Array;

/** Client-side record of one request. Times are seconds on one clock. */
export interface RequestRecord {
  /** When the request was scheduled, whether or not the client was ready. */
  readonly scheduledSeconds: number;
  /** When the client sent it. */
  readonly sentSeconds: number;
  /** Arrival time of each chunk with generated tokens, in order; empty if there was none. */
  readonly chunkSeconds: Times;
  /** When a failed response ended, which may be long after its last chunk. @default the last chunk */
  readonly endSeconds?: number | undefined;
  readonly promptTokens: number;
  /** From the response's usage; otherwise the number of chunks. */
  readonly outputTokens: number;
  /** Prompt tokens that the engine had cached; undefined if not reported. */
  readonly cachedTokens: number | undefined;
  /** URL of the engine that responded; undefined if the server did not report it. */
  readonly engine: string | undefined;
  /** The router's name for it; undefined if the server did not report it. */
  readonly engineName?: string | undefined;
  /** Whether the response says that it comes from an emulated engine. @default false */
  readonly isEmulated?: boolean | undefined;
  /** Wall seconds that an emulated engine reported to be behind its clock; undefined if it kept up. */
  readonly engineLagSeconds?: number | undefined;
  /** Client or conversation; undefined if the load has none. */
  readonly session?: string | undefined;
  /** undefined for a complete response. */
  readonly error: RequestError | undefined;
}

/** How a request failed. */
export interface RequestError {
  /** One token to count by: `http_503`, `timeout`, `connect`, `cut`, … */
  readonly kind: string;
  readonly message: string;
}

/** Latencies of one complete response, in seconds. */
export interface Latencies {
  /** Time to first token: first chunk - sent. */
  readonly ttftSeconds: number;
  /** Last chunk - sent. */
  readonly e2eSeconds: number;
  /** Time per output token after the first: (e2e - ttft) / (tokens - 1); undefined for one token. */
  readonly tpotSeconds: number | undefined;
}

/**
 * Latencies from sending, or from the scheduled time: the wait of a user whose request a late client
 * delayed (coordinated omission).
 *
 * @throws {RangeError} If the record has no chunk.
 * @see https://github.com/vllm-project/vllm/blob/main/vllm/benchmarks/serve.py calculate_metrics
 */
export function latenciesOf(record: RequestRecord, from: 'sent' | 'scheduled' = 'sent'): Latencies {
  const { chunkSeconds } = record;
  const first = chunkSeconds[0];
  const last = chunkSeconds.at(-1);
  if (first === undefined || last === undefined) {
    throw new RangeError('A request without a chunk has no latency');
  }
  const start = from === 'sent' ? record.sentSeconds : record.scheduledSeconds;
  return {
    ttftSeconds: first - start,
    e2eSeconds: last - start,
    tpotSeconds: record.outputTokens > 1 ? (last - first) / (record.outputTokens - 1) : undefined,
  };
}

/**
 * Gaps between the chunks of each response, one response after the other; a chunk may carry more than one
 * token.
 *
 * @param unitsPerSecond 1000 for milliseconds.
 */
export function gapsOf(records: readonly RequestRecord[], unitsPerSecond = 1): Float64Array {
  let count = 0;
  for (const { chunkSeconds } of records) count += Math.max(0, chunkSeconds.length - 1);
  // One array for all responses: a run has millions of gaps.
  const gaps = new Float64Array(count);
  let at = 0;
  for (const { chunkSeconds } of records) at = writeGaps(chunkSeconds, gaps, at, unitsPerSecond);
  return gaps;
}

/** Called once per response, so that it is compiled early in the report of a long run. @returns The next index. */
function writeGaps(times: Times, gaps: Float64Array, from: number, unitsPerSecond: number): number {
  let at = from;
  for (let i = 1; i < times.length; i++) {
    gaps[at++] = ((times[i] as number) - (times[i - 1] as number)) * unitsPerSecond;
  }
  return at;
}

/** Upper limits of the latencies of a good response, in milliseconds; absent: no limit. */
export interface ServiceLevel {
  readonly ttftMs?: number | undefined;
  readonly tpotMs?: number | undefined;
  readonly e2eMs?: number | undefined;
}

/**
 * Whether a response meets every limit (at most, not below). A response of one token meets any TPOT.
 */
export function meets(limits: ServiceLevel, latencies: Latencies): boolean {
  const { ttftMs, tpotMs, e2eMs } = limits;
  return (
    latencies.ttftSeconds <= (ttftMs ?? Number.POSITIVE_INFINITY) / 1000 &&
    (latencies.tpotSeconds ?? 0) <= (tpotMs ?? Number.POSITIVE_INFINITY) / 1000 &&
    latencies.e2eSeconds <= (e2eMs ?? Number.POSITIVE_INFINITY) / 1000
  );
}
