// The latencies of a streamed answer, defined as `vllm bench serve` defines them.

/** Moments in order, in seconds. */
export type Times = readonly number[] | Float64Array;

/** What a client saw of one request. Times are seconds on one clock. */
export interface RequestRecord {
  /** When the request was due, whether or not the client was ready. */
  readonly scheduledSeconds: number;
  /** When the client sent it. */
  readonly sentSeconds: number;
  /** When each chunk with generated tokens came, in order; empty if none did. */
  readonly chunkSeconds: Times;
  readonly promptTokens: number;
  /** From the answer's usage; else the number of chunks. */
  readonly outputTokens: number;
  /** Prompt tokens that the engine had cached; undefined if it did not say. */
  readonly cachedTokens: number | undefined;
  /** Which engine answered; undefined if the server did not say. */
  readonly engine: string | undefined;
  /** Wall seconds that an emulated engine said it was behind its clock; undefined if it kept up. */
  readonly engineLagSeconds?: number | undefined;
  /** undefined for a complete answer. */
  readonly error: RequestError | undefined;
}

/** How a request failed. */
export interface RequestError {
  /** One word to count by: `http_503`, `timeout`, `connect`, `cut`, … */
  readonly kind: string;
  readonly message: string;
}

/** Latencies of one complete answer, in seconds. */
export interface Latencies {
  /** Time to first token: first chunk - sent. */
  readonly ttftSeconds: number;
  /** Last chunk - sent. */
  readonly e2eSeconds: number;
  /** Time per output token after the first: (e2e - ttft) / (tokens - 1); undefined for one token. */
  readonly tpotSeconds: number | undefined;
}

/**
 * Latencies from sending, or from the time the request was due: what a user waits whose request
 * a late client held back (coordinated omission).
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
 * Gaps between the chunks of each answer, one answer after the other; a chunk may carry more than one
 * token.
 *
 * @param unitsPerSecond 1000 for milliseconds.
 */
export function gapsOf(records: readonly RequestRecord[], unitsPerSecond = 1): Float64Array {
  let count = 0;
  for (const { chunkSeconds } of records) count += Math.max(0, chunkSeconds.length - 1);
  // One array for all: a run has millions of gaps.
  const gaps = new Float64Array(count);
  let at = 0;
  for (const { chunkSeconds } of records) {
    for (let i = 1; i < chunkSeconds.length; i++) {
      gaps[at++] = ((chunkSeconds[i] as number) - (chunkSeconds[i - 1] as number)) * unitsPerSecond;
    }
  }
  return gaps;
}

/** Upper limits of the latencies of a good answer, in milliseconds; absent: no limit. */
export interface ServiceLevel {
  readonly ttftMs?: number | undefined;
  readonly tpotMs?: number | undefined;
  readonly e2eMs?: number | undefined;
}

/**
 * Whether an answer keeps every limit (at most, not below). An answer of one token keeps any TPOT.
 */
export function meets(limits: ServiceLevel, latencies: Latencies): boolean {
  const { ttftMs, tpotMs, e2eMs } = limits;
  return (
    latencies.ttftSeconds <= (ttftMs ?? Number.POSITIVE_INFINITY) / 1000 &&
    (latencies.tpotSeconds ?? 0) <= (tpotMs ?? Number.POSITIVE_INFINITY) / 1000 &&
    latencies.e2eSeconds <= (e2eMs ?? Number.POSITIVE_INFINITY) / 1000
  );
}
