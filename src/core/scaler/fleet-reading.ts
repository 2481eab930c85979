// What a scaler reads of a fleet, each figure as upstream's metrics have it.

export interface FleetReading {
  readonly nowSeconds: number;
  /** Engines that serve. */
  readonly ready: number;
  /** Engines that have been started and do not serve yet. */
  readonly starting: number;
  /** Requests that have arrived since the beginning: `vllm:num_incoming_requests_total`. */
  readonly arrived: number;
  /** Prompts computed since the beginning, and the time it took: `vllm:request_prefill_time_seconds_count` and `_sum`. */
  readonly prefilled: number;
  readonly prefillSeconds: number;
  /** Requests that wait in all ready engines: `vllm:num_requests_waiting`. */
  readonly waiting: number;
  /** Requests that run in all ready engines: `vllm:num_requests_running`. */
  readonly running: number;
  /** Mean share of the KV cache in use, 0 to 1: `vllm:kv_cache_usage_perc`. */
  readonly kvUsage: number;
  /** Requests that the router holds, since no engine can take them. */
  readonly held: number;
  /** Time to first token that nine of ten requests stay below, measured or predicted; undefined if there was none. */
  readonly ttftSeconds: number | undefined;
}

/** Looks at a fleet at regular intervals. */
export interface Scaler {
  /** Number of engines that there should be. */
  decide(reading: FleetReading): number;
}

/** Fewest and most engines. */
export interface EngineBounds {
  readonly min: number;
  readonly max: number;
}

export function within(engines: number, { min, max }: EngineBounds): number {
  return Math.min(max, Math.max(min, engines));
}
