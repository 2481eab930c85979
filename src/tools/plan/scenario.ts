// Results of a simulated layout, and the gain of one over another.

/** A figure with the interval that contains 90 % of the simulated fleets. */
export interface Estimate {
  readonly mean: number;
  readonly low: number;
  readonly high: number;
}

/** Results of a simulated layout. */
export interface Scenario {
  readonly label: string;
  readonly engines: number;
  readonly kvOffload: 'none' | 'native' | 'lmcache';
  readonly policy: string;
  /** Output tokens per second of the whole fleet. */
  readonly throughput: Estimate;
  readonly ttftMs: Estimate;
  readonly tpotMs: Estimate;
  readonly e2eMs: Estimate;
  /** Share of the requests that meet every goal; 1 without goals. */
  readonly goodput: Estimate;
  /** Share of prompt tokens that were cached. */
  readonly hitRate: Estimate;
  readonly kvUseP99: Estimate;
  readonly preemptionsPerMinute: Estimate;
  /** Tokens computed again after an eviction or a preemption, over all prompt tokens computed. */
  readonly redundantPrefill: Estimate;
  /** Requests arrive faster than they are served, so latencies keep growing. */
  readonly isOverloaded: boolean;
  readonly pricePerHour: number | undefined;
}

/** Gain of one layout over another, from paired runs. */
export interface Gain {
  readonly of: string;
  readonly over: string;
  /** 0.2: 20 % more output tokens per second. */
  readonly throughput: Estimate;
  /** −0.3: TTFT is 30 % shorter. */
  readonly ttft: Estimate;
}
